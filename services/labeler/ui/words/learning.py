"""The sentences about how accuracy went with the number of labels (Markdown)."""

from services.labeler.ui.messages import plain
from shared.clients.model_history import LastLabels, LearningCurve

TITLE = "Have I labelled enough?"
ADVICE = {
    "helped": "They helped: go on like this.",
    "enough": "That is less than a point. Rather label what the model doubts, or pictures of a new kind.",
    "harmed": "They made it worse: look whether they are right, in Browse with what you labelled last.",
    "open": "That can be nothing, and it can be a lot: {images} test images do not tell smaller steps apart. About one"
    " labelled image in five becomes a test image, so this becomes clearer as you label.",
}


def brought(last: LastLabels) -> str:
    """Return what the last labels brought, and what that means."""
    return (
        f"**The last {last.labels:,} labels brought between {points(last.low)} and {points(last.high)} points of"
        f" accuracy.** {ADVICE[last.verdict].format(images=f'{last.images:,}')}"
    )


def basis(last: LastLabels) -> str:
    """Return what that rests on."""
    return (
        f"Since {plain(last.since)}, of {last.images:,} test images {last.gained} became right and {last.lost} wrong."
        " The truth lies between the two numbers in 95 of 100 such comparisons."
    )


def nothing_yet(found: LearningCurve) -> str:
    """Return why nothing is said about the last labels."""
    return plain(found.why_none)


def points(share: float) -> str:
    """Return a difference of -1 to 1 in points, with its sign."""
    shown = f"{share * 100:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "−")


def chart_in_words(found: LearningCurve) -> str:
    """Return what the chart shows, for people who do not see it."""
    first, last = found.points[0], found.points[-1]
    return (
        f"Accuracy on the test images over the number of labels: from {first.accuracy:.1%} with {first.labels:,} labels"
        f" to {last.accuracy:.1%} with {last.labels:,}, each with its 95 % interval"
    )
