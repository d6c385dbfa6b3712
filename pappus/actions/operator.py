"""What an operator requests: a training, and decisions of the gate."""

from uuid import UUID

from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.terminal.output import Output
from shared.clients.answers import Accepted
from shared.clients.labeler import GateAction, request_training
from shared.clients.labeler import ask_gate as gate_request


async def train(installation: Installation, output: Output, reason: str) -> None:
    """Request a full training."""
    async with installation.labeler_as("operator") as operator:
        event_id = (await operator.send(request_training(reason))).event_id
    output.say(_requested(event_id, installation.logs_of("trainer-full")))
    output.give({"outcome": "accepted", "event_id": event_id})


async def ask_gate(
    installation: Installation, output: Output, action: GateAction, reason: str, version: str | None
) -> None:
    """Request a decision of the gate. Raises Refused if it rejects the request."""
    async with installation.labeler_as("operator") as operator:
        answer = await operator.send(gate_request(action, reason, version))
    if isinstance(answer, Accepted):
        output.say(_requested(answer.event_id, installation.logs_of("trainer-gate")))
        output.give({"outcome": "accepted", "event_id": answer.event_id})
        return
    output.give(answer.model_dump(mode="json"))
    if answer.outcome == "rejected":
        raise Refused(f"The gate rejected the request: {answer.summary}")
    output.say(answer.summary)


def _requested(event_id: UUID, logs: str) -> str:
    return f"Requested as {event_id}. See the result: pappus history. If nothing new appears: {logs}"
