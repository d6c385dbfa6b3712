"""What an operator requests: a training, and decisions of the gate."""

import asyncio
import time
from collections.abc import Collection
from uuid import UUID

from pappus.actions.class_names import class_names
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.terminal.output import Output
from pappus.terminal.progress import ProgressLine, progress_line
from shared.clients.answers import Accepted, ModelView
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiError
from shared.clients.labeler import GateAction, list_models, request_training
from shared.clients.labeler import ask_gate as gate_request
from shared.clients.names import with_names

LOOK_SECONDS = 0.5


async def train(installation: Installation, output: Output, reason: str, wait_seconds: int | None) -> None:
    """Request a full training; wait up to `wait_seconds` until the gate has judged its model, None: do not wait. Raises
    Refused if there is none by then."""
    logs = installation.logs_of("trainer-full")
    async with installation.labeler_as("operator") as operator:
        names = await class_names(operator)
        before = await _full_models(operator) if wait_seconds is not None else {}
        event_id = (await operator.send(request_training(reason))).event_id
        if wait_seconds is None:
            output.say(_requested(event_id, logs))
            output.give({"outcome": "accepted", "event_id": event_id, "model": None})
            return
        with progress_line(output.progress) as line:
            model = await until_judged(operator, before.keys(), wait_seconds, line)
    if model is None:
        raise Refused(
            f"{wait_seconds} s after request {event_id} there is no new full model with a verdict. It may take longer;"
            f" or there was nothing new to learn from, or not enough of it. See: pappus history, {logs}"
        )
    output.say(f"{model.version}: {with_names(model, names).summary}")
    outcome = "rejected" if model.state == "rejected" else "promoted"
    output.give({"outcome": outcome, "event_id": event_id, "model": model.model_dump(mode="json")})


async def ask_gate(
    installation: Installation, output: Output, action: GateAction, reason: str, version: str | None
) -> None:
    """Request a decision of the gate. Raises Refused if it rejects the request."""
    async with installation.labeler_as("operator") as operator:
        names = await class_names(operator)
        answer = await operator.send(gate_request(action, reason, version))
    if isinstance(answer, Accepted):
        output.say(_requested(answer.event_id, installation.logs_of("trainer-gate")))
        output.give({"outcome": "accepted", "event_id": answer.event_id})
        return
    output.give(answer.model_dump(mode="json"))
    summary = with_names(answer, names).summary
    if answer.outcome == "rejected":
        raise Refused(f"The gate rejected the request: {summary}")
    output.say(summary)


async def _full_models(operator: AsyncApi) -> dict[str, ModelView]:
    """Return the newest full models, by version."""
    return {model.version: model for model in await operator.send(list_models()) if model.lane == "full"}


async def until_judged(
    operator: AsyncApi, before: Collection[str], seconds: float, line: ProgressLine
) -> ModelView | None:
    """Return the first full model that was not there `before` and has a verdict; None if there is none in time. While
    the labeler cannot tell, the training goes on, and so does the wait."""
    deadline = time.monotonic() + seconds
    line.say("waiting for the training")
    while time.monotonic() < deadline:
        try:
            found = await _full_models(operator)
        except ApiError as error:
            if not error.retryable:
                raise
            line.say(f"still waiting for the training, although {error}")
            found = {}
        for version, model in found.items():
            if version in before:
                continue
            if model.state != "candidate":
                return model
            tried = model.summary if model.verdict else "waiting for the verdict of the gate"
            line.say(f"{version} is trained; {tried}")
        await asyncio.sleep(LOOK_SECONDS)
    return None


def _requested(event_id: UUID, logs: str) -> str:
    return f"Requested as {event_id}. See the result: pappus history. If nothing new appears: {logs}"
