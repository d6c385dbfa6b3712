"""How an answer, a model or the label of an image came about."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pappus.actions import answers_log, lineage
from pappus.actions.class_names import class_names
from pappus.actions.explaining import explain_answer, explain_image, explain_model, explain_near
from pappus.actions.images import find_image
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.stack import Stack
from pappus.stack_client import RunningStack
from pappus.terminal.output import Output
from pappus.terminal.progress import ProgressLine, progress_line
from shared.clients.answers import ImageView, ServingModel
from shared.clients.api import AsyncApi
from shared.clients.errors import ApiError, ApiProblem
from shared.clients.labeler import find_images, get_history, get_image
from shared.clients.lineage import get_image_story, get_model_story
from shared.clients.names import in_names, with_names
from shared.clients.predictor import get_serving_model

VERSION = re.compile(r"(full|fast)-\S+")
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOT_HERE = (
    "Answers are looked up on the log, which is read on the local stack alone; of this installation models and images"
    " can be explained."
)


async def explain(installation: Installation, output: Output, about: str, limit: int) -> None:
    """Explain a prediction id, a version, or an image. Raises Refused if there is nothing of this name."""
    with progress_line(output.progress) as line:
        line.say(f"looking for {about}")
        async with installation.labeler_as("labeler") as person:
            names = await class_names(person)
            if VERSION.fullmatch(about):
                document, sentences = await _model(installation, person, about, limit, names)
            elif (image := await _image_named(person, about)) is not None:
                document, sentences = await _image(installation, person, image, limit, line, names)
            else:
                document, sentences = await _answer(installation, person, UUID(about), line, names)
    for sentence in sentences:
        output.say(sentence)
    output.give({**document, "sentences": sentences})


async def _image_named(person: AsyncApi, about: str) -> ImageView | None:
    """Return the image; None if the text is an id of something else. Raises Refused for a text that names nothing."""
    if not ID.fullmatch(about):
        return await find_image(person, about, upload=False)
    try:
        return await person.send(get_image(UUID(about)))
    except ApiProblem as problem:
        if problem.code != "image_unknown":
            raise
        return None


async def _model(
    installation: Installation, person: AsyncApi, version: str, limit: int, names: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    story = await person.send(get_model_story(version, limit))
    if story is None:
        raise Refused(f"There is no model {version}. See: pappus history")
    known = {each.event_id for each in story.caused_by}
    requests = await answers_log.training_requests(installation, frozenset(set(story.causes) - known))
    serving = await _serving(installation) if story.state == "champion" else []
    document = {
        "kind": "model",
        "model": story.model_dump(mode="json"),
        "requests": [each.model_dump(mode="json") for each in requests],
        "replicas": [each.model_dump(mode="json") for each in serving if each.version == version],
    }
    return document, list(explain_model(with_names(story, names), requests, serving))


async def _serving(installation: Installation) -> list[ServingModel]:
    """Return what each replica serves, of those that are known and answer."""
    if not isinstance(installation, RunningStack):
        return []
    found = []
    async with installation.each_replica() as replicas:
        for replica in replicas:
            try:
                found.append(await replica.send(get_serving_model()))
            except ApiError:
                continue  # it is down, or has no model; the others answer
    return found


async def _image(
    installation: Installation,
    person: AsyncApi,
    image: ImageView,
    limit: int,
    line: ProgressLine,
    names: Mapping[str, str],
) -> tuple[dict[str, Any], list[str]]:
    history = await person.send(get_history(image.image_id))
    story = await person.send(get_image_story(image.image_id, limit))
    line.say("reading the answers on the log")
    answers = await answers_log.answers_about(installation, image.image_id, image.sha256)
    seen = None
    if isinstance(installation, RunningStack):
        line.say("reading the manifests of full models")
        seen = await lineage.ask(Stack(installation.state.root), "seen", str(image.image_id))
    shown_history, shown_answers = history[-limit:], answers[-limit:]
    document = {
        "kind": "image",
        "image": image.model_dump(mode="json"),
        "labels": [each.model_dump(mode="json") for each in shown_history],
        "answers": [each.model_dump(mode="json") for each in shown_answers],
        "seen": seen,
        "story": story.model_dump(mode="json"),
        "more": max(len(history), len(answers), story.holding) > limit,
    }
    sentences = explain_image(
        with_names(image, names),
        [with_names(each, names) for each in shown_history],
        with_names(story, names),
        [with_names(each, names) for each in shown_answers],
        in_names(seen, names),
    )
    return document, list(sentences)


async def _answer(
    installation: Installation, person: AsyncApi, prediction_id: UUID, line: ProgressLine, names: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    line.say("reading the answers on the log")
    answer = await answers_log.find_answer(installation, prediction_id)
    if answer is None:
        unknown = "The log keeps answers for 14 days." if isinstance(installation, RunningStack) else NOT_HERE
        raise Refused(f"{prediction_id} is neither an image nor an answer that is known here. {unknown}")
    stored = await person.send(find_images(answer.sha256))
    image = stored[0] if stored else None
    history = await person.send(get_history(image.image_id)) if image else []
    model = await person.send(get_model_story(answer.model_version))
    sentences = list(
        explain_answer(
            with_names(answer, names),
            None if image is None else with_names(image, names),
            [with_names(each, names) for each in history],
            None if model is None else with_names(model, names),
        )
    )
    weights = [*answer.correction_weights, *[None] * len(answer.corrections)]
    near = [
        explain_near(each, weight, [with_names(entry, names) for entry in await person.send(get_history(each))])
        for each, weight in zip(answer.corrections, weights, strict=False)
    ]
    document = {
        "kind": "prediction",
        "prediction": answer.model_dump(mode="json"),
        "image": None if image is None else image.model_dump(mode="json"),
        "labels": [each.model_dump(mode="json") for each in history],
        "model": None if model is None else model.model_dump(mode="json"),
    }
    return document, [sentences[0], *near, *sentences[1:]]
