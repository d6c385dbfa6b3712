"""What an operator asks of the gate: one dialog at a time, with a reason, and what became of it."""

from dataclasses import dataclass, field

import streamlit as st

from services.labeler.ui.api_clients import Declined, LoggedOut
from services.labeler.ui.sessions.corrections import new_key
from services.labeler.ui.sessions.tab import clients, log_out
from services.labeler.ui.words import commands
from shared.clients.answers import Accepted, GateAnswer
from shared.clients.labeler import GateAction, ask_gate, request_training
from shared.runtime.errors import TransientError

TRAIN = "train"


@dataclass
class Command:
    """A dialog. `action` is a GateAction or "train"; `version` None where it names none; `model` is how people call it.
    Sent again with the same `key` it counts once."""

    action: GateAction | None
    version: str | None = None
    model: str = ""
    key: str = field(default_factory=new_key)

    @property
    def name(self) -> str:
        return self.action or TRAIN


@dataclass
class Commanding:
    """`asked` is the open dialog, None without one. `refused` says in it why the last press did nothing, `done` on the
    page what the last command did."""

    asked: Command | None = None
    refused: str = ""
    done: str = ""

    def ask(self, command: Command) -> None:
        """Open the dialog of a command."""
        self.asked, self.refused, self.done = command, "", ""

    def cancel(self) -> None:
        """Close the dialog."""
        self.asked, self.refused = None, ""

    def confirm(self, reason: str) -> bool:
        """Send the command. Return whether it is done; if not, `refused` says why, and the dialog stays."""
        command = self.asked
        if command is None:
            return False
        if not reason.strip():
            self.refused = commands.NO_REASON
            return False
        try:
            answer = _send(command, reason.strip())
        except (TransientError, Declined) as error:
            self.refused = str(error)
            return False
        except LoggedOut as ended:
            self.asked = None
            log_out(f"{ended} Nothing was asked of the gate.")
            return True
        st.session_state.pop("champion", None)  # so that the page asks again who serves
        said = commands.outcome(command.name, answer)
        if isinstance(answer, GateAnswer) and answer.outcome == "rejected":
            command.key = new_key()  # the answer to this one is known; another press asks anew
        elif command.action is None or isinstance(answer, GateAnswer):
            self.asked, self.refused, self.done = None, "", said
            return True
        self.refused = said
        return False


def _send(command: Command, reason: str) -> GateAnswer | Accepted:
    if command.action is None:
        return clients().labeler.send(request_training(reason, command.key), commands.UNAVAILABLE)
    request = ask_gate(command.action, reason, command.version, command.key)
    return clients().labeler.send(request, commands.UNAVAILABLE)
