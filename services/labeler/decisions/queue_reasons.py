"""Why an image is in a queue, in a sentence. Pure."""

from collections.abc import Mapping, Sequence

from shared.contract.label_set import in_current_names

SKIPPED = "You left it for later."
SECOND_LOOK = "Another person gave it a label that contradicts the model and the data set. What do you see?"
TO_VOTE = "What do you see? Your answer is kept as a vote."
REVIEWED = "A person has decided about it already."


def of_data_set(similar_label: str) -> str:
    """Return the sentence about a label that the other images contradict."""
    return f"Images like it are {similar_label}."


def of_dispute(said: Sequence[str], names: Mapping[str, str]) -> str:
    """Return what people say (labels with these `names`, or why there is none), but not who: a third person should look
    at the picture."""
    words = [names.get(each) or each.replace("_", " ") for each in said]
    return f"People disagree: {', '.join(words[:-1])} or {words[-1]}."


def of_wrong_answer(answered: str) -> str:
    """Return the sentence about an answer that a person says is wrong."""
    return f"The model said {answered}, and a person says that this is wrong."


def of_set_aside(sentence: str, names: Mapping[str, str]) -> str:
    """Return why the model leaves a label out, with these `names` of labels."""
    return f"The model leaves its label out: {in_current_names(sentence, names)}"
