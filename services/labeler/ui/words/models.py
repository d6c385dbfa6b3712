"""The sentences of the page Models (Markdown)."""

from datetime import datetime

from services.labeler.ui.messages import code, plain
from shared.clients.answers import LiveAccuracy, ModelView, PromotionView
from shared.clients.model_history import DataDifference, Generation, PromotionPoint
from shared.contract.events import RuleOutcome

STATES = {
    "champion": "in service",
    "former": "served before",
    "rejected": "rejected",
    "candidate": "not judged yet",
}
ROUTES = {
    "rollback": "Rollback",
    "freeze": "Freeze",
    "unfreeze": "Unfreeze",
    "approve": "Approved",
    "override": "Override",
}
"""What a person did, in a word; the other routes are the gate's own promotions."""
RULE_MARKS = {"passed": "✓", "failed": "✗"}
"""Of other outcomes a dash: there was too little evidence, or the rule does not apply."""
UNKNOWN = "There is no model {version}. It may have been made by another installation, or the address is incomplete."


def name(model: ModelView) -> str:
    """Return how people call a model: by the number of its newest promotion; its version, if it never served."""
    return model.version if model.sequence is None else f"v{model.sequence}"


def long_name(model: ModelView) -> str:
    """Return the name of a model among others, without Markdown."""
    named = model.version if model.sequence is None else f"v{model.sequence} · {model.version}"
    return f"{named} ({state(model)})"


def state(model: ModelView) -> str:
    """Return the state of a model in a few words."""
    return "waits for approval" if model.waits_for_approval else STATES[model.state]


def moment(when: datetime | None) -> str:
    """Return a time for people."""
    return "-" if when is None else f"{when:%-d %b %Y, %H:%M} UTC"


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 with one digit."""
    return "not measured" if share is None else f"{share:.1%}"


def accuracy_basis(model: ModelView) -> str:
    """Return of how many test images the accuracy is; empty if that is not known."""
    images = next((rule.figures.get("images") for rule in model.verdict if rule.rule == "accuracy"), None)
    images = images or model.test_images
    if not images or model.accuracy is None:
        return ""
    return f"{round(model.accuracy * images)} of {images:.0f} test images"


def live_basis(live: LiveAccuracy | None) -> str:
    """Return of how many answers the live accuracy is, with the interval; None if there are too few to say anything."""
    if live is None:
        return "People judged too few answers yet"
    return f"of {live.answers} answers that people judged ({live.low:.0%} to {live.high:.0%})"


def lane(model: ModelView) -> str:
    """Return what kind of a model it is."""
    if model.lane == "full":
        return f"Trained in full with {_count(model.training_images or 0, 'image')}"
    return f"A full model with {_count(model.corrections, 'correction')} on top"


def generation(found: Generation) -> str:
    """Return a full model and what stands on it in one line: the label of an expander."""
    full = found.model
    named = f"full v{full.sequence}" if full.sequence is not None else f"{plain(full.version)}, {state(full)}"
    facts = [f"**{named}**", moment(full.trained_at), percent(full.accuracy)]
    if found.newest is not None:
        facts.append(f"+ {_count(found.newest.corrections, 'correction')}")
    return " · ".join(facts)


def standing(found: Generation) -> str:
    """Return how many versions stand on a full model and what became of them."""
    if not found.versions:
        return "No version stands on it."
    said = f"{_count(found.versions, 'version')} with corrections: {found.served} served"
    return f"{said}, {found.rejected} rejected." if found.rejected else f"{said}."


def line(model: ModelView) -> str:
    """Return a version in one line: when, how good, and if it is rejected, why."""
    facts = [moment(model.trained_at), percent(model.accuracy), _count(model.corrections, "correction")]
    if model.state == "rejected" or model.waits_for_approval:
        facts.append(plain(model.summary))
    return " · ".join(facts)


def promotion(one: PromotionView) -> str:
    """Return one promotion in a line."""
    word = ROUTES.get(one.route)
    return f"**v{one.sequence}** · {moment(one.promoted_at)} · {f'{word}: ' if word else ''}{plain(one.summary)}"


def mark(point: PromotionPoint) -> str:
    """Return what the chart calls a promotion."""
    return ROUTES.get(point.route, "Full training" if point.lane == "full" else "Corrections")


def rule(outcome: RuleOutcome) -> str:
    """Return one rule of a verdict: whether it holds, and its sentence."""
    mark = RULE_MARKS.get(outcome.outcome, "–")
    return f"{mark} **{plain(outcome.rule.replace('_', ' '))}** · {plain(outcome.sentence)}"


def figures(outcome: RuleOutcome) -> str:
    """Return the figures of a rule, as they were measured."""
    return " · ".join(f"{plain(key.replace('_', ' '))} {value:.4g}" for key, value in outcome.figures.items())


def data_difference(found: DataDifference, against: str) -> str:
    """Return how two data sets differ, in a sentence."""
    parts = [
        f"{_count(number, 'image')} {what}"
        for number, what in (
            (found.added, "added"),
            (found.removed, "taken out"),
            (found.relabelled, "with another label"),
        )
        if number
    ]
    if not parts:
        return f"It has learned from the same images and labels as {plain(against)}."
    return f"Compared with {plain(against)}: {', '.join(parts)}."


def compared(gained: int, lost: int, against: str) -> str:
    """Return how many test images two models answer differently."""
    if not gained and not lost:
        return f"It answers the same test images right as {plain(against)}."
    return (
        f"Compared with {plain(against)}, it has {gained} more test images right, and {lost} that were right are wrong."
    )


def versions_hint(shown: int, all_of_them: int) -> str:
    """Return that not all versions are shown; empty if they are."""
    return "" if shown >= all_of_them else f"The newest {shown} of {all_of_them} are shown."


def small_version(model: ModelView) -> str:
    """Return the version in small print."""
    return code(model.version)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
