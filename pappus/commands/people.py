"""What people do by hand: predict, correct, history, train, rollback and the other requests to the gate."""

import hashlib
import re
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Column, Table

from pappus.commands.options import StateOption, attempt, state_folder
from pappus.commands.screen import console
from pappus.errors import Refused, read_image
from pappus.stack_client import RunningStack
from shared.clients.answers import Accepted, Applied, HistoryEntry, ImageView, ModelView, Prediction
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiError
from shared.clients.labeler import (
    MAX_MODELS,
    GateAction,
    ask_gate,
    correct_label,
    find_images,
    get_history,
    get_image,
    list_models,
    request_training,
    upload_image,
)
from shared.clients.predictor import predict as predict_request

WHY = "Why, for those who read the history."
Reason = Annotated[str, typer.Option(help=WHY)]
Version = Annotated[str, typer.Argument(help="A version: pappus history")]


def predict(files: Annotated[list[Path], typer.Argument(help="Image files.")], state: StateOption = None) -> None:
    """Ask the model about image files."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with AsyncApi(stack.predictor, retry_for_seconds=10) as predictor:
            answers, failures = await _ask(predictor, files)
        if answers:
            console.print(_answers_table(answers))
        if failures:
            raise Refused("\n".join(failures))

    attempt(work, state)


def correct(
    image: Annotated[str, typer.Argument(help="An image id, the sha256 of the bytes, or a file.")],
    label: Annotated[str, typer.Argument(help="The right label.")],
    reason: Reason = "",
    state: StateOption = None,
) -> None:
    """Set the right label of an image; a file that is not known yet is uploaded first."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("labeler") as person:
            found = await _find(person, image, upload=True)
            outcome = await person.send(correct_label(found.image_id, label, found.revision, reason=reason))
            if isinstance(outcome, Applied):
                console.print(f"{found.image_id} : {label!r} (revision {outcome.revision}, before: {found.label!r}).")
            else:
                console.print(f"Accepted, not visible yet: pappus history {found.image_id}")

    attempt(work, state)


def history(
    image: Annotated[
        str | None, typer.Argument(help="An image id, a sha256 or a file; without it, the models.")
    ] = None,
    state: StateOption = None,
) -> None:
    """Every label an image had, who set it and which model has it; without an image, the newest 1,000 models and their
    verdicts."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("labeler") as person:
            if image is None:
                _show_models(await person.send(list_models()))
                return
            found = await _find(person, image, upload=False)
            console.print(_labels_table(found, await person.send(get_history(found.image_id))))

    attempt(work, state)


def train(reason: Reason = "asked for by hand", state: StateOption = None) -> None:
    """Ask for a full training now."""

    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("operator") as operator:
            event_id = (await operator.send(request_training(reason))).event_id
            console.print(_requested(event_id, "trainer-full"))

    attempt(work, state)


def rollback(
    version: Annotated[str, typer.Argument(help="A version that served before: pappus history")],
    reason: Reason = "asked for by hand",
    state: StateOption = None,
) -> None:
    """Serve an earlier version again and freeze promotions, so that nothing replaces it until `pappus unfreeze`."""
    _ask_gate("rollback", reason, version, state)


def approve(version: Version, reason: Reason = "asked for by hand", state: StateOption = None) -> None:
    """Promote a candidate the gate would promote if asked now, for example one that came while promotions were
    frozen."""
    _ask_gate("approve", reason, version, state)


def override(version: Version, reason: Annotated[str, typer.Option(help=WHY)], state: StateOption = None) -> None:
    """Put a model into service against the verdict of the gate. It has to load and answer all the same."""
    _ask_gate("override", reason, version, state)


def freeze(reason: Reason = "asked for by hand", state: StateOption = None) -> None:
    """Promote nothing until `pappus unfreeze`."""
    _ask_gate("freeze", reason, None, state)


def unfreeze(reason: Reason = "asked for by hand", state: StateOption = None) -> None:
    """Let promotions go on; corrections that came meanwhile are made live."""
    _ask_gate("unfreeze", reason, None, state)


def _ask_gate(action: GateAction, reason: str, version: str | None, state: Path | None) -> None:
    async def work() -> None:
        stack = RunningStack.find(state_folder(state))
        async with stack.labeler_as("operator") as operator:
            answer = await operator.send(ask_gate(action, reason, version))
            if isinstance(answer, Accepted):
                console.print(_requested(answer.event_id, "trainer-gate"))
                return
            if answer.outcome == "rejected":
                raise Refused(f"The gate refused: {answer.summary}")
            console.print(answer.summary)

    attempt(work, state)


def _requested(event_id: UUID, component: str) -> str:
    return (
        f"Requested as {event_id}. What became of it: pappus history. If nothing new appears: pappus logs {component}"
    )


async def _ask(predictor: AsyncApi, files: list[Path]) -> tuple[list[tuple[Path, Prediction]], list[str]]:
    """The answer for each file, and a line for each file without one."""
    answers: list[tuple[Path, Prediction]] = []
    failures: list[str] = []
    for path in files:
        try:
            data = read_image(path)
        except Refused as unreadable:
            failures.append(str(unreadable))
            continue
        try:
            answers.append((path, await predictor.send(predict_request(data, path.name))))
        except ApiError as error:
            failures.append(f"{path}: {error}")
            if error.retryable:
                break  # the predictor is down: every further file would wait as long, in vain
    return answers, failures


async def _find(person: AsyncApi, image: str, upload: bool) -> ImageView:
    """The image that an id, a sha256 or a file names."""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", image):
        return await person.send(get_image(UUID(image)))
    data = None if re.fullmatch(r"[0-9a-f]{64}", image) else _bytes_of(image)
    sha256 = image if data is None else hashlib.sha256(data).hexdigest()
    found = await person.send(find_images(sha256))
    if found:
        return found[0]
    if not upload or data is None:
        raise Refused(f"No stored image has the bytes {sha256[:12]}...: upload it, or pappus correct FILE LABEL")
    uploaded = await person.send(upload_image(Path(image).name, data))
    return await person.send(get_image(uploaded.image_id))


def _bytes_of(image: str) -> bytes:
    try:
        return read_image(Path(image))
    except Refused as refusal:
        if isinstance(refusal.__cause__, FileNotFoundError):
            raise Refused(f"{image} is neither an image id, a sha256 nor a file.") from refusal
        raise


def _answers_table(answers: list[tuple[Path, Prediction]]) -> Table:
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


def _show_models(models: list[ModelView]) -> None:
    if not models:
        console.print(
            "No model yet: the first needs enough images of each label. Bring more: pappus seed --images FOLDER"
        )
        return
    console.print(_models_table(models))
    if len(models) == MAX_MODELS:
        console.print(f"Only the newest {MAX_MODELS} are shown.")


def _models_table(models: list[ModelView]) -> Table:
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
            model.summary or "-",
        )
    return table


def _accuracy(model: ModelView) -> float | None:
    """On the locked test images: as the gate measured it, else as the training did."""
    judged = [rule.figures.get("accuracy") for rule in model.verdict if rule.rule == "accuracy"]
    found = judged[0] if judged else model.metrics.get("test_accuracy")
    return None if found is None else float(found)


def _labels_table(image: ImageView, entries: list[HistoryEntry]) -> Table:
    table = Table("rev.", "from", "to", "by", "when", "state", "live in", title=f"{image.image_id} ({image.state})")
    for entry in entries:
        state = f"set aside: {entry.set_aside}" if entry.set_aside else entry.state
        table.add_row(
            str(entry.revision),
            entry.label_from or "-",
            entry.label_to or "-",
            entry.corrected_by,
            "-" if entry.occurred_at is None else entry.occurred_at.isoformat()[:19],
            state,
            entry.live_in or "-",
        )
    return table
