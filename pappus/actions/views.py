"""Tables of predictions, models and label histories."""

from pathlib import Path

from pappus.terminal.listing import Column, Listing
from shared.clients.answers import HistoryEntry, ImageView, LiveAccuracy, ModelView, Prediction
from shared.contract.events import VerdictEvidence


def answers_table(answers: list[tuple[Path, Prediction]]) -> Listing:
    """Return one row per file, with the corrections that shaped its answer and their weights."""
    table = Listing(
        "file",
        "label",
        Column("probability", whole=True, right=True),
        Column("model", whole=True),
        Column("ms", whole=True, right=True),
        Column("corrections behind it", whole=True, if_any=True),
    )
    for path, answer in answers:
        table.add(
            str(path),
            answer.name or answer.label,
            f"{answer.probabilities[answer.label]:.3f}",
            answer.model_version,
            f"{answer.milliseconds:.1f}",
            "\n".join(f"{c.image_id} ({c.weight:.2f})" for c in answer.corrections),
        )
    return table


def models_table(models: list[ModelView]) -> Listing:
    """Return one row per model, with the accuracy on the locked test images, the verdict of the gate, and why it was
    promoted again."""
    table = Listing(
        Column("version", whole=True),
        Column("state", whole=True),
        Column("seq.", whole=True, right=True),
        Column("accuracy", whole=True, right=True),
        Column("agreed", whole=True, right=True, if_any=True),
        "verdict",
    )
    for model in models:
        accuracy = model.accuracy
        table.add(
            model.version,
            "waits" if model.waits_for_approval else model.state,
            str(model.sequence or "-"),
            "-" if accuracy is None else f"{accuracy:.3f}",
            percent_with_interval(model.live) if model.live is not None and model.live.answers else "",
            "\n".join([model.summary or "-", *(f"{each.sequence}: {each.summary}" for each in model.promotions[1:])]),
        )
    return table


def rules_table(model: ModelView) -> Listing:
    """Return one row per rule of the verdict on a model."""
    table = Listing(Column("rule", whole=True), Column("outcome", whole=True), "what was seen", title=model.summary)
    for rule in model.verdict:
        table.add(rule.rule, rule.outcome.replace("_", " "), rule.sentence)
    return table


def classes_table(evidence: VerdictEvidence) -> Listing:
    """Return one row per class: how many of the locked test images are right, and as what they were answered."""
    table = Listing(
        "label", Column("right", whole=True, right=True), Column("recall", whole=True, right=True), "answered as"
    )
    names = [one.label for one in evidence.classes]
    for one, answered in zip(evidence.classes, evidence.confusion, strict=False):
        table.add(
            one.label,
            f"{one.right} of {one.images}",
            f"{one.recall:.0%} ({100 * one.low:.0f}-{100 * one.high:.0f}%)",
            ", ".join(f"{name} {count}" for name, count in zip(names, answered, strict=False)),
        )
    return table


def percent_with_interval(live: LiveAccuracy) -> str:
    """Return how often people agreed, the 95 % interval, and of how many answers: "83% (64-93%, 24)"."""
    return f"{live.agreed / live.answers:.0%} ({100 * live.low:.0f}-{100 * live.high:.0f}%, {live.answers})"


def labels_table(image: ImageView, entries: list[HistoryEntry]) -> Listing:
    """Return one row per label that the image had, oldest first."""
    table = Listing(
        Column("rev.", whole=True, right=True),
        "from",
        "to",
        "by",
        "when",
        "state",
        Column("live in", whole=True),
        title=f"{image.image_id} ({image.state})",
    )
    for entry in entries:
        state = f"set aside: {entry.set_aside}" if entry.set_aside else entry.state
        table.add(
            str(entry.revision),
            entry.label_from or "-",
            entry.label_to or (f"- ({entry.no_label})" if entry.no_label else "-"),
            entry.corrected_by or "-",
            "-" if entry.occurred_at is None else f"{entry.occurred_at:%Y-%m-%d %H:%M:%S}",
            state,
            entry.live_in or "-",
        )
    return table
