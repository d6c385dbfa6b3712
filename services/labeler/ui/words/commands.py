"""The sentences of what operators ask of the gate (Markdown)."""

from dataclasses import dataclass

from services.labeler.ui.messages import plain
from shared.clients.answers import Accepted, GateAnswer

NO_REASON = "Say why: the reason stays in the history of the models."
UNAVAILABLE = "The request could not be sent yet, and nothing has changed. Press the button again: it counts once."
TRAINING_ASKED = "A full training is requested. Its model, if it is better, follows in some minutes."
NO_ANSWER_YET = (
    "The request is in the log, and the gate has not answered yet. Press the button again to look: it counts once."
)


@dataclass(frozen=True)
class Asked:
    """What a dialog says. `title` names the action, `means` says what it does, `button` does it."""

    title: str
    means: str
    button: str


def asked(action: str, model: str) -> Asked:
    """Return what the dialog of an action says; `model` is the name of the model that it is about."""
    return {
        "rollback": Asked(
            f"Roll back to {model}",
            f"{model} answers again within seconds, and promotions are frozen until an operator lifts the freeze.",
            "Roll back",
        ),
        "approve": Asked(f"Approve {model}", f"{model} goes into service, if the gate accepts it now.", "Approve"),
        "override": Asked(
            f"Override the gate for {model}", f"{model} goes into service against the verdict of the gate.", "Override"
        ),
        "freeze": Asked(
            "Freeze promotions",
            "The model in service stays. Labels are saved, and the model follows them once the freeze is lifted.",
            "Freeze",
        ),
        "unfreeze": Asked(
            "Lift the freeze", "Candidates are promoted again; labels that waited go live first.", "Lift the freeze"
        ),
        "train": Asked(
            "Train in full",
            "A new model is trained from all labels of this moment, which takes minutes. It serves only if it is good"
            " enough.",
            "Train",
        ),
    }[action]


def outcome(action: str, answer: GateAnswer | Accepted) -> str:
    """Return what became of a request, as the API says it."""
    if action == "train":
        return TRAINING_ASKED
    return NO_ANSWER_YET if isinstance(answer, Accepted) else plain(answer.summary)
