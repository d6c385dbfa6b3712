"""Images, their answers and their labels, as the commands ask for them."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pappus.actions.class_names import class_names
from pappus.actions.views import answers_table, classes_table, labels_table, models_table, rules_table
from pappus.errors import Refused, read_image
from pappus.installation.access import Installation
from pappus.terminal.listing import left_out
from pappus.terminal.output import Output
from pappus.terminal.progress import progress_line
from shared.clients.answers import Applied, ImageView, Prediction
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiError, UntrustedServer
from shared.clients.labeler import (
    MAX_MODELS,
    correct_label,
    find_images,
    get_first_model,
    get_history,
    get_image,
    get_model,
    list_models,
    upload_image,
)
from shared.clients.names import with_names
from shared.clients.predictor import predict as predict_request
from shared.contract.events import NoLabel

RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says about an image: a label, or that it has none (`no_label`), `withdrawn` for the last one."""

    label: str | None
    no_label: NoLabel | None
    reason: str


async def predict(installation: Installation, output: Output, files: list[Path]) -> None:
    """Classify image files. Raises Refused at the end for those without an answer."""
    retry_seconds = min(RETRY_SECONDS, installation.first_contact_seconds)
    with progress_line(output.progress) as line:
        async with installation.open_predictor(retry_seconds) as predictor:
            answers, failures = await _ask(predictor, files, line.say)
    if answers:
        output.show(answers_table(answers))
    output.give(
        {
            "answers": [{"file": str(path), **answer.model_dump(mode="json")} for path, answer in answers],
            "failures": failures,
        }
    )
    if failures:
        raise Refused("\n".join(failures))


async def correct(installation: Installation, output: Output, image: str, said: Correction) -> None:
    """Set the label of an image, or take it away."""
    async with installation.labeler_as("labeler") as person:
        names = await class_names(person)
        found = await find_image(person, image, upload=said.no_label != "withdrawn")
        outcome = await person.send(
            correct_label(found.image_id, said.label, found.revision, no_label=said.no_label, reason=said.reason)
        )
    if isinstance(outcome, Applied) and outcome.state == "voted":
        output.say(f"{found.image_id} : kept as your vote. The label counts once enough people say the same.")
    elif isinstance(outcome, Applied):
        now = f"no label ({said.no_label})" if outcome.label is None else repr(names.get(outcome.label, outcome.label))
        before = "no label" if found.label is None else repr(names.get(found.label, found.label))
        output.say(f"{found.image_id} : {now} (revision {outcome.revision}, before: {before}).")
    else:
        output.say(f"Accepted, not visible yet: pappus history {found.image_id}")
    output.give({"outcome": outcome.outcome, "before": found.label, **outcome.model_dump(mode="json")})


async def show_labels(installation: Installation, output: Output, image: str, limit: int) -> None:
    """Show the labels that an image had, the newest `limit` of them."""
    async with installation.labeler_as("labeler") as person:
        found = await find_image(person, image, upload=False)
        entries, names = await person.send(get_history(found.image_id)), await class_names(person)
    shown = entries[-limit:]
    output.show(labels_table(found, [with_names(entry, names) for entry in shown]))
    output.note(left_out(len(entries), len(shown), "labels, the newest"))
    output.give(
        {
            "image": found.model_dump(mode="json"),
            "labels": [entry.model_dump(mode="json") for entry in shown],
            "more": len(entries) > len(shown),
        }
    )


async def show_model(installation: Installation, output: Output, version: str, limit: int) -> None:
    """Show one model: the verdict rule by rule, each class, and at most `limit` of the test images gained and lost."""
    async with installation.labeler_as("labeler") as person:
        model, names = await person.send(get_model(version)), await class_names(person)
    named = with_names(model, names)
    output.show(rules_table(named))
    evidence = named.evidence
    if evidence is not None:
        output.show(classes_table(evidence))
        for what, count, images in (
            ("gained", evidence.gained, evidence.gained_images),
            ("lost", evidence.lost, evidence.lost_images),
        ):
            listed = ", ".join(str(image) for image in images[:limit])
            output.say(f"Test images {what}: {count}{': ' + listed if listed else ''}{', ...' * (count > limit)}")
    output.give({"model": model.model_dump(mode="json")})


async def show_models(installation: Installation, output: Output, limit: int) -> None:
    """Show the newest `limit` models with their verdicts; before the first, what it waits for."""
    async with installation.labeler_as("labeler") as person:
        found, names = await person.send(list_models(min(limit + 1, MAX_MODELS))), await class_names(person)
        waits_for = "" if found else (await person.send(get_first_model())).waits_for
    models, full = found[:limit], len(found) == MAX_MODELS
    if models:
        output.show(models_table([with_names(model, names) for model in models]))
    else:
        output.say(f"No model yet. {waits_for}")
    if full and limit >= MAX_MODELS:
        output.say(f"Only the newest {MAX_MODELS} are shown.")
    elif len(found) > len(models):
        output.say(f"Older models are left out. To see more: --limit {min(4 * limit, MAX_MODELS)}")
    document = {
        "models": [model.model_dump(mode="json") for model in models],
        "more": len(found) > len(models) or full,
    }
    output.give(document if models else {**document, "waits_for": waits_for})


async def _ask(
    predictor: AsyncApi, files: list[Path], show: Callable[[str], None]
) -> tuple[list[tuple[Path, Prediction]], list[str]]:
    """Return the answer for each file, and one line for each file without an answer."""
    answers: list[tuple[Path, Prediction]] = []
    failures: list[str] = []
    for number, path in enumerate(files, 1):
        show(f"{number} of {len(files)} files: {path}")
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
            if error.retryable:  # the predictor is down: every further file would wait as long, in vain
                if number < len(files):
                    failures.append(f"{len(files) - number} further files were not sent, the first is {files[number]}.")
                break
    return answers, failures


async def find_image(person: AsyncApi, image: str, upload: bool) -> ImageView:
    """Return the image that an id, a sha256 or a file names. Raises Refused if there is none."""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", image):
        return await person.send(get_image(UUID(image)))
    data = None if re.fullmatch(r"[0-9a-f]{64}", image) else _bytes_of(image)
    sha256 = image if data is None else hashlib.sha256(data).hexdigest()
    found = await person.send(find_images(sha256))
    if found:
        return found[0]
    if not upload or data is None:
        raise Refused(f"No stored image has the bytes {sha256}: upload it, or pappus correct FILE LABEL")
    uploaded = await person.send(upload_image(Path(image).name, data))
    return await person.send(get_image(uploaded.image_id))


def _bytes_of(image: str) -> bytes:
    try:
        return read_image(Path(image))
    except Refused as refusal:
        if isinstance(refusal.__cause__, FileNotFoundError):
            raise Refused(f"{image} is neither an image id, a sha256 nor a file.") from refusal
        raise
