"""The queues of Review in words."""

from shared.clients.answers import DoubleCheck
from shared.clients.review import QueueName

TITLES: dict[QueueName, str] = {
    "doubtful": "Doubtful",
    "to_vote": "To vote",
    "contradicts_label": "The model contradicts the label",
    "contradicts_data_set": "Contradicts the data set",
    "people_disagree": "People disagree",
    "wrong_answers": "Wrong answers",
    "second_look": "A second look",
    "drifted": "Pictures look different",
    "set_aside": "The model leaves it out",
    "new_today": "New today",
    "my_skipped": "Left for later",
    "filter": "Filter from Browse",
}
EMPTY: dict[QueueName, str] = {
    "doubtful": "Every image is reviewed. New images appear here after they are uploaded.",
    "to_vote": "No image waits for your vote. Choose Doubtful to begin with others.",
    "contradicts_label": "The model contradicts no label that waits for review. Choose another queue.",
    "contradicts_data_set": "No label contradicts what similar images say. It is looked for again after changes.",
    "people_disagree": "People agree about every image. Choose another queue.",
    "wrong_answers": "No image waits whose answer is said to be wrong. Choose another queue.",
    "second_look": "No decision waits for a second person. Choose another queue.",
    "drifted": "No picture was stored since pictures look different. Choose another queue.",
    "set_aside": "The model follows every label. Choose another queue.",
    "new_today": "No image of the last 24 hours waits. Open Add to add some, or choose another queue.",
    "my_skipped": "You left nothing for later. Choose another queue.",
    "filter": "You have decided about all images of this filter. Open Browse for another one, or choose another queue.",
}
LOADING = "Loading …"
ONLY_SKIPPED = "Only images you left for later, or that are still being saved, are left."
ONLY_TAKEN = "All that is left is before other people now, was left for later, or is still being saved."


def end_text(queue: QueueName, left: int) -> str:
    """Return what is said where no image is shown; `left`: so many wait all the same."""
    return EMPTY[queue] if not left else ONLY_SKIPPED if queue == "doubtful" else ONLY_TAKEN


def double_check_text(asked: DoubleCheck) -> str:
    """Return the question to who contradicts model and data set again and again."""
    return (
        f"{asked.contradicting} of your last {asked.decisions} labels contradict both the model and the data set. They"
        " are saved, and another person will look at these images as well. Did you mean these labels?"
    )
