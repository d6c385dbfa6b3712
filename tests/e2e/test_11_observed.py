"""`pappus up --observe`: one trace from the click to the answer, the same ids in the logs, and data in every panel."""

import hashlib
import json
import shutil
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx2
import pytest

from infra.observability.dashboards import DASHBOARDS
from pappus.demo.drawing import draw_tiles
from shared.clients.labeler import correct_label, find_images
from shared.contract.events import ModelTrained
from shared.testing import eventually

from .browser_story import turn_round, with_browser
from .demo_run import Told, brought, other, readable

SECONDS = 180.0
CORRECTION = {
    "labeler-ui",
    "labeler-api",
    "ingestor",
    "trainer-fast",
    "trainer-gate",
    "trainer-trigger",
    "trainer-recorder",
    "predictor-api-0",
    "predictor-api-1",
}
"""Who takes part from the key that is pressed to the model that answers."""
STEPS = {
    ("labeler-api", "send label.corrected"),
    ("trainer-fast", "reconcile fast lane"),
    ("trainer-fast", "send model.trained"),
    ("trainer-gate", "process model.trained"),
    ("trainer-gate", "send model.promoted"),
    ("predictor-api-0", "load model"),
    ("predictor-api-1", "load model"),
    ("trainer-recorder", "process model.promoted"),
}
"""What happens on the way; the recorder comes last, when the correction has long been live."""
UPLOAD = {"labeler-ui", "labeler-api", "ingestor", "predictor-worker", "trainer-trigger"}
TRAINING = {
    ("trainer-trigger", "send training.requested"),
    ("trainer-full", "process training.requested"),
    ("trainer-full", "send model.trained"),
    ("trainer-gate", "process model.trained"),
    ("trainer-recorder", "process model.trained"),
}
NEW_IMAGES, TRAINING_SECONDS = 10, 300.0
"""So many new images are a reason for a full training."""
SCRAPES_SECONDS = 15.0
VARIABLES = {"$__rate_interval": "5m", "$service": ".*", "$version": ".*"}

pytestmark = [
    with_browser,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="This machine has no Prometheus: pappus doctor"),
    pytest.mark.timeout(900),  # the first time on a machine Jaeger is built
]


@pytest.fixture(scope="module")
def picture() -> bytes:
    """A picture that no other test brings."""
    return draw_tiles(11)


@pytest.fixture(scope="module")
def observed(told: Told, picture: bytes, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The stack with its observers, after a person has turned an answer round in the browser."""
    told.stack.up(observe=True)
    folder = tmp_path_factory.mktemp("observed")
    (folder / "seen.png").write_bytes(picture)
    turn_round(told, folder / "seen.png", folder / "corrected.png")
    return told


async def traces_of(told: Told, about: str, complete: Callable[[list[Any]], bool]) -> list[dict[str, Any]]:
    """Return what `pappus trace` says, once it is complete: spans come in up to a second later."""

    def read() -> list[dict[str, Any]] | None:
        ended = told.pappus("trace", about, "--limit", "100", "--json")
        document = json.loads(ended.stdout) if ended.returncode == 0 else {"traces": [], "led_to": []}
        found = [*document["led_to"], *document["traces"]]
        return found if complete(found) else None

    found = await eventually(read, SECONDS)
    assert found is not None
    return list(found)


def steps(trace: dict[str, Any]) -> set[tuple[str, str]]:
    return {(span["service"], span["name"]) for span in trace["spans"]}


def links(trace: dict[str, Any]) -> set[str]:
    return {link for span in trace["spans"] for link in span["links"]}


def services(trace: dict[str, Any]) -> set[str]:
    return {span["service"] for span in trace["spans"]}


def log_of(told: Told, service: str) -> str:
    return (told.stack.state.logs / f"{service}.log").read_text()


async def image_id(told: Told, picture: bytes) -> str:
    async with told.person() as person:
        (image,) = await person.send(find_images(hashlib.sha256(picture).hexdigest()))
    return str(image.image_id)


async def test_upload_and_correction_are_one_trace_each_without_an_orphan(observed: Told, picture: bytes) -> None:
    about = await image_id(observed, picture)

    def complete(found: list[dict[str, Any]]) -> bool:
        whole = [trace for trace in found if not trace["orphans"]]
        return any(services(each) >= UPLOAD for each in whole) and any(steps(each) >= STEPS for each in whole)

    found = await traces_of(observed, about, complete)
    correction = next(trace for trace in found if steps(trace) >= STEPS)
    assert services(correction) >= CORRECTION
    assert (correction["spans"][0]["service"], correction["spans"][0]["name"]) == ("labeler-ui", "correct label")
    assert [span for span in correction["spans"] if span["parent"] is None] == [correction["spans"][0]]


async def test_the_logs_have_the_ids_of_the_trace(observed: Told, picture: bytes) -> None:
    about = await image_id(observed, picture)
    found = await traces_of(observed, about, lambda found: any(services(each) >= CORRECTION for each in found))
    trace_id = next(trace["trace_id"] for trace in found if services(trace) >= CORRECTION)
    for service in ("trainer-gate", "predictor-api-0", "predictor-api-1"):
        assert f'"trace_id": "{trace_id}"' in log_of(observed, service), service


# It waits for up to two full trainings, which run at nice 15: beside other tests that may take minutes. On demand.
@pytest.mark.chaos
async def test_a_full_training_has_links_to_all_that_led_to_it(observed: Told) -> None:
    numbers = count(50_000)

    async def label_some() -> None:
        async with observed.person() as person:
            for _ in range(NEW_IMAGES):
                image = await brought(person, draw_tiles(next(numbers)))
                await person.send(correct_label(image.image_id, "grass", image.revision, reason="a trace is looked at"))

    async def training_of_images() -> dict[str, Any] | None:
        events = [readable(record) for record in await observed.records([ModelTrained.topic])]
        version = [event.version for event in events if isinstance(event, ModelTrained) and event.lane == "full"][-1]
        ended = observed.pappus("trace", version, "--json")
        document = json.loads(ended.stdout) if ended.returncode == 0 else {"traces": []}
        whole = [trace for trace in document["traces"] if steps(trace) >= TRAINING and not trace["orphans"]]
        found = next((trace for trace in whole if len(links(trace)) >= NEW_IMAGES), None)
        if found is None and whole and version not in seen:  # it began before enough of them were labelled
            seen.add(version)
            await label_some()
        return found

    seen: set[str] = set()
    await label_some()
    training = await eventually(training_of_images, TRAINING_SECONDS)
    assert training is not None
    assert services(training) >= {"trainer-trigger", "trainer-full", "trainer-gate"}


async def test_a_trace_is_drawn_in_the_terminal(observed: Told, picture: bytes) -> None:
    ended = observed.pappus("trace", await image_id(observed, picture))
    assert ended.returncode == 0, ended.stderr
    assert "reconcile fast lane" in ended.stdout
    unknown = observed.pappus("trace", "fast-0000")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("Jaeger has no trace about fast-0000.")


async def decide_about_an_answer(observed: Told, data: bytes) -> None:
    """Say about an answer of the model in service that it is wrong, as the pages do."""
    async with observed.person() as person:
        shown, image = await observed.answer(data), await brought(person, data)
        correction = correct_label(
            image.image_id,
            other(shown.label),
            image.revision,
            prediction_id=shown.prediction_id,
            shown_model_version=shown.model_version,
            shown_label=shown.label,
            shown_probability=shown.probabilities[shown.label],
        )
        await person.send(correction)


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.name)
async def test_every_panel_has_data(observed: Told, board: Any) -> None:
    address = observed.stack.status().addresses["prometheus"]
    numbers = count(51_000)

    async def missing() -> list[str]:
        async with httpx2.AsyncClient(base_url=address) as prometheus:
            empty = []
            for panel in board.panels:
                for query in panel.queries.values():
                    for variable, value in VARIABLES.items():
                        query = query.replace(variable, value)
                    answer = (await prometheus.get("/api/v1/query", params={"query": query})).json()
                    assert answer["status"] == "success", answer
                    if not answer["data"]["result"]:
                        empty.append(f"{panel.title}: {query}")
        return empty

    async def complete() -> bool:
        """Decide about an answer and look: decisions about a model that is replaced meanwhile are not shown."""
        await decide_about_an_answer(observed, draw_tiles(next(numbers)))
        try:
            await eventually(none_missing, SCRAPES_SECONDS)
        except AssertionError:
            return False
        return True

    async def none_missing() -> bool:
        return not await missing()

    await eventually(complete, SECONDS)
    assert await missing() == []
