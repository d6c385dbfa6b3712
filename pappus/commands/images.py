"""`pappus predict | correct | history`: images, their answers and their labels."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import typer

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import Reason
from pappus.commands.screen import console
from pappus.commands.views import answers_table, labels_table, models_table
from pappus.errors import Refused, read_image
from pappus.installation.access import Installation
from shared.clients.answers import Applied, ImageView, ModelView, Prediction
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiError, UntrustedServer
from shared.clients.labeler import (
    MAX_MODELS,
    correct_label,
    find_images,
    get_first_model,
    get_history,
    get_image,
    list_models,
    upload_image,
)
from shared.clients.predictor import predict as predict_request
from shared.runtime.text import clean_typed

RETRY_SECONDS = 10.0
NoLabelOption = Literal["unsure", "none_of_these", "unusable"]


@about_installation
def predict(chosen: Chosen, files: Annotated[list[Path], typer.Argument(help="Image files.")]) -> None:
    """Classify image files with the model in service."""

    async def work(installation: Installation) -> None:
        async with installation.open_predictor(min(RETRY_SECONDS, installation.first_contact_seconds)) as predictor:
            answers, failures = await _ask(predictor, files)
        if answers:
            console.print(answers_table(answers))
        if failures:
            raise Refused("\n".join(failures))

    chosen.attempt(work)


@about_installation
def correct(
    chosen: Chosen,
    image: Annotated[str, typer.Argument(help="An image id, the sha256 of the bytes, or a file.")],
    label: Annotated[str | None, typer.Argument(help="The right label.")] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the last label back.")] = False,
    no_label: Annotated[NoLabelOption | None, typer.Option(help="Say why the image has no label.")] = None,
    reason: Reason = "",
) -> None:
    """Set the label of an image, or take it away. A file that is not stored yet is uploaded first."""
    label = None if label is None else clean_typed(label)

    async def work(installation: Installation) -> None:
        if (label is not None) + withdraw + (no_label is not None) != 1:
            raise Refused("Say one thing about the image: a label, or --withdraw, or --no-label WHY.")
        why = "withdrawn" if withdraw else no_label
        async with installation.labeler_as("labeler") as person:
            found = await _find(person, image, upload=not withdraw)
            outcome = await person.send(
                correct_label(found.image_id, label, found.revision, no_label=why, reason=reason)
            )
            if isinstance(outcome, Applied):
                now = f"{outcome.label!r}" if outcome.label is not None else f"no label ({why})"
                console.print(f"{found.image_id} : {now} (revision {outcome.revision}, before: {found.label!r}).")
            else:
                console.print(f"Accepted, not visible yet: pappus history {found.image_id}")

    chosen.attempt(work)


@about_installation
def history(
    chosen: Chosen,
    image: Annotated[
        str | None, typer.Argument(help="An image id, a sha256 or a file; without it, the models.")
    ] = None,
) -> None:
    """Show every label an image had, who set it and which model learned it; without an image, the newest 1,000 models
    with their verdicts."""

    async def work(installation: Installation) -> None:
        async with installation.labeler_as("labeler") as person:
            if image is None:
                models = await person.send(list_models())
                if models:
                    _show_models(models)
                else:
                    console.print(f"No model yet. {(await person.send(get_first_model())).waits_for}", soft_wrap=True)
                return
            found = await _find(person, image, upload=False)
            console.print(labels_table(found, await person.send(get_history(found.image_id))))

    chosen.attempt(work)


def _show_models(models: list[ModelView]) -> None:
    console.print(models_table(models))
    if len(models) == MAX_MODELS:
        console.print(f"Only the newest {MAX_MODELS} are shown.")


async def _ask(predictor: AsyncApi, files: list[Path]) -> tuple[list[tuple[Path, Prediction]], list[str]]:
    """Return the answer for each file, and one line for each file without an answer."""
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
        except UntrustedServer:
            raise  # no file is sent there
        except ApiError as error:
            failures.append(f"{path}: {error}")
            if error.retryable:
                break  # the predictor is down: every further file would wait as long, in vain
    return answers, failures


async def _find(person: AsyncApi, image: str, upload: bool) -> ImageView:
    """Return the image that an id, a sha256 or a file names. Raises Refused if there is none."""
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
