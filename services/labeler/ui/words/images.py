"""The sentences of the page of one image (Markdown)."""

from services.labeler.ui.messages import code, duration, plain
from services.labeler.ui.words.models import moment
from shared.clients.answers import HistoryEntry, ImageView, ShownPrediction
from shared.clients.lineage import ImageStory
from shared.clients.similar import SimilarImage

MALFORMED = "{text} is no image id: it has 32 hex digits, such as 1f0c7a52-91d4-5e0b-8c11-7a3b5d0e6f20."
UNKNOWN = "There is no image {image_id}. Was it uploaded to another installation?"
NO_ID = "The address names no image. Paste its id here; Review, Browse, Quarantine and Models link to images, too."
NO_LABELS = {
    "withdrawn": "took the last label back",
    "unsure": "was unsure",
    "none_of_these": "said that it is none of the classes",
    "unusable": "said that it is unusable",
}
TRUST = {"seed": "from the data set", "claimed": "as the uploader said", "reviewed": "decided by a person"}


def label_now(image: ImageView) -> str:
    """Return the label that holds and where it comes from."""
    if image.no_label not in (None, "withdrawn") and image.decided_in:
        return f"**No label**: {plain(image.corrected_by or 'a person')} {NO_LABELS[image.no_label]}."
    if image.label is None:
        return "**No label** yet."
    by = f" by {plain(image.corrected_by)}" if image.trust == "reviewed" and image.corrected_by else ""
    decided = f"decided{by}" if by else TRUST[image.trust]
    return f"**{plain(image.label)}**, {decided}."


def origin(image: ImageView) -> str:
    """Return the name of the file, where the image came from, and how large it is."""
    source = "Uploaded" if image.source == "upload" else f"From {plain(image.source)}"
    named = f"**{plain(image.name)}** · " if image.name else ""
    by = f" by {plain(image.registered_by)}" if image.registered_by else ""
    size = f" · {image.width} x {image.height} pixels" if image.width and image.height else ""
    return f"{named}{source}{by}{size}"


def side(story: ImageStory) -> str:
    """Return what models do with the image."""
    return {
        "train": "Models learn from it.",
        "test": "Models are tested with it, and never learn from it but for its own correction.",
        None: "It is in neither training nor tests.",
    }[story.side]


def held_by(story: ImageStory) -> str:
    """Return how many models hold a correction of the image; empty if none does."""
    if not story.holding:
        return ""
    return f"{story.holding} {'model holds' if story.holding == 1 else 'models hold'} a correction of it."


def revision(entry: HistoryEntry) -> str:
    """Return who decided what in a revision, when and why, and which answer was shown."""
    who, when = plain(entry.corrected_by or "a data set"), moment(entry.occurred_at)
    if entry.revision == 0:
        said = f"came with the label **{plain(entry.label_to)}**" if entry.label_to else "came without a label"
        return f"{when} · It {said}, from {who}."
    if entry.no_label is not None:
        said = NO_LABELS[entry.no_label]
    elif entry.label_from == entry.label_to:
        said = f"confirmed **{plain(entry.label_to or '')}**"
    else:
        before = f" instead of {plain(entry.label_from)}" if entry.label_from else ""
        said = f"said **{plain(entry.label_to or '')}**{before}"
    shown = ""
    if entry.shown_label is not None:
        model = f" of {code(entry.shown_model_version)}" if entry.shown_model_version else ""
        shown = f", having seen the answer {plain(entry.shown_label)}{model}"
    why = f" Reason: {plain(entry.reason)}" if entry.reason else ""
    return f"{when} · **{who}** {said}{shown}.{why}"


def effect(entry: HistoryEntry) -> str:
    """Return what a revision changed in the models: since when, after how long; or why nothing."""
    if entry.revision == 0:
        return ""
    if entry.state == "superseded":
        return "Not applied: another label came first."
    if entry.live_in is not None and entry.live_at is not None and entry.occurred_at is not None:
        return f"Live in {code(entry.live_in)} after {duration(entry.occurred_at, entry.live_at)}."
    if entry.set_aside is not None:
        return f"Left out for now: {plain(entry.set_aside)} The next full training tries it again."
    return "No model in service follows it yet."


def answer(prediction: ShownPrediction) -> str:
    """Return an answer with its probability and its model."""
    share = prediction.probabilities.get(prediction.label, 0.0)
    return f"{code(prediction.model_version)} says **{plain(prediction.label)}** ({share:.0%})"


def similar(image: SimilarImage) -> str:
    """Return how alike an image is and its label, without Markdown."""
    return f"{image.label or 'no label'} · {image.cosine:.2f}"


def withdrawn(image: ImageView) -> str:
    """Return that an image was taken back: by whom, when and why."""
    gone = image.withdrawal
    if gone is None:
        return "This image was withdrawn."
    return (
        f"{plain(gone.withdrawn_by)} withdrew this image on {moment(gone.withdrawn_at)}: {plain(gone.reason)}"
        " Its bytes are gone, and no model is made from it any more."
    )


def not_stored(image: ImageView) -> str:
    """Return why there is no picture: it was refused, or is not here yet."""
    if image.rejection is None:
        return "The image is being fetched and checked. Look again in a moment."
    again = " It is tried again." if image.rejection.retryable else ""
    return f"The image was refused: {plain(image.rejection.detail)}{again}"
