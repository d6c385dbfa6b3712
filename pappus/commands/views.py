"""Tables of predictions, models and label histories."""

from pathlib import Path

from rich.table import Column, Table

from shared.clients.answers import HistoryEntry, ImageView, ModelView, Prediction


def answers_table(answers: list[tuple[Path, Prediction]]) -> Table:
    """Return one row per file, with the corrections that shaped its answer and their weights."""
    table = Table(
        Column("file", overflow="fold"),
        "label",
        "probability",
        "model",
        "ms",
        Column("corrections behind it", overflow="fold"),
    )
    for path, answer in answers:
        behind = ", ".join(f"{c.image_id} ({c.weight:.2f})" for c in answer.corrections)
        table.add_row(
            str(path),
            answer.label,
            f"{answer.probabilities[answer.label]:.3f}",
            answer.model_version,
            f"{answer.milliseconds:.1f}",
            behind or "-",
        )
    return table


def models_table(models: list[ModelView]) -> Table:
    """Return one row per model, with the accuracy on the locked test images, the verdict of the gate, and why it was
    promoted again."""
    table = Table(
        Column("version", no_wrap=True),
        "state",
        Column("seq.", justify="right"),
        Column("accuracy", justify="right"),
        "verdict",
    )
    for model in models:
        accuracy = _accuracy(model)
        table.add_row(
            model.version,
            model.state,
            str(model.sequence or "-"),
            "-" if accuracy is None else f"{accuracy:.3f}",
            "\n".join([model.summary or "-", *(f"{each.sequence}: {each.summary}" for each in model.promotions[1:])]),
        )
    return table


def _accuracy(model: ModelView) -> float | None:
    """Return the accuracy that the gate measured, else the one of the training; None if there is neither."""
    judged = [rule.figures.get("accuracy") for rule in model.verdict if rule.rule == "accuracy"]
    found = judged[0] if judged else model.metrics.get("test_accuracy")
    return None if found is None else float(found)


def labels_table(image: ImageView, entries: list[HistoryEntry]) -> Table:
    """Return one row per label that the image had, oldest first."""
    table = Table("rev.", "from", "to", "by", "when", "state", "live in", title=f"{image.image_id} ({image.state})")
    for entry in entries:
        state = f"set aside: {entry.set_aside}" if entry.set_aside else entry.state
        table.add_row(
            str(entry.revision),
            entry.label_from or "-",
            entry.label_to or (f"- ({entry.no_label})" if entry.no_label else "-"),
            entry.corrected_by,
            "-" if entry.occurred_at is None else entry.occurred_at.isoformat()[:19],
            state,
            entry.live_in or "-",
        )
    return table
