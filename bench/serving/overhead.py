"""What an answer costs beside decoding and the model: CPU of the whole API over CPU of the limit, in one process.

    OPENBLAS_NUM_THREADS=1 python -m bench.serving.overhead --most 1.45

A model is learned from drawn pictures, by the trainer's own steps. The API of a replica answers requests for
predictions with everything on (a key, one trace in twenty, lines, metrics, the records of the log), without sockets and
Kafka; in turns with it the same model decodes and answers the same pictures. The least CPU times of the turns count:
what else the machine does only adds to them. Ends with 1 above `--most`.
"""

import argparse
import asyncio
import gc
import io
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TextIO
from uuid import UUID

from PIL import Image
from starlette.types import ASGIApp, Message, Scope

from bench.serving.load import BOUNDARY, form
from bench.training import link_images, train
from pappus.demo.drawing import DRAWN_LABELS, draw
from services.predictor.api.app import build_app
from services.predictor.api.keys import ApiKey, ApiKeys
from services.predictor.api.prediction_log import PredictionLog
from services.predictor.api.predictions import Predictions
from services.predictor.api.turns import Turns
from services.predictor.model.holder import ModelHolder, ServingModel
from services.predictor.model.onnx_model import Model
from services.predictor.settings import SOURCE, PredictorSettings
from services.trainer.dataset.manifest import Sample, manifest_of
from shared.contract.dead_letter import DeadLetter
from shared.contract.events import Event, ModelPromoted, uuid_of
from shared.contract.replicas import AnswersLogged
from shared.contract.split import side
from shared.http.limits import ARRIVED
from shared.imaging.preprocessing import prepare_image
from shared.messaging.codec import encode
from shared.messaging.event_log import Record
from shared.runtime.health import Health
from shared.runtime.telemetry import configure

PICTURES, TURNS, AGAIN = 80, 40, 1
SIDE_PIXELS, QUALITY = 225, 85
"""As thumbnails of photographs are."""
KEY, HOST = "overhead", "127.0.0.1:8000"
LIMIT_BYTES, SAMPLED = 20_000_000, 0.05


def draw_thumbnail(number: int) -> bytes:
    """Return a drawn picture, as large as a thumbnail of a photograph."""
    drawn = Image.open(io.BytesIO(draw(DRAWN_LABELS[number % 2], number)))
    out = io.BytesIO()
    drawn.resize((SIDE_PIXELS, SIDE_PIXELS)).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def learn_artefact(pictures: list[bytes]) -> bytes:
    """Return the artefact that the trainer makes of these pictures."""
    with tempfile.TemporaryDirectory() as temporary:
        files, samples = [], []
        for number, picture in enumerate(pictures):
            digest = sha256(picture).hexdigest()
            files.append(Path(temporary) / f"{number}.jpg")
            files[-1].write_bytes(picture)
            samples.append(Sample(UUID(int=number), digest, DRAWN_LABELS[number % 2], 0, side(digest)))
        folder = link_images(files, Path(temporary) / "images")
        _, fitted = train(manifest_of(samples), folder, DRAWN_LABELS)
    return fitted.artefact


def serve(artefact: bytes, model: Model, log: PredictionLog) -> ASGIApp:
    """Return the API of a replica that answers with this model, and asks for a key."""
    version = "full-1"
    promotion = ModelPromoted(
        event_id=uuid_of(ModelPromoted.topic, version),
        occurred_at=datetime.now(UTC),
        model_name="plants",
        version=version,
        artefact_key=f"models/{version}/model.onnx",
        artefact_sha256=sha256(artefact).hexdigest(),
        sequence=1,
        replaces=None,
        lane="full",
        route="first",
        summary="It is the first.",
    )
    in_service, keys = ModelHolder(), ApiKeys()
    in_service.swap(ServingModel(promotion, model, datetime.now(UTC)))
    keys.set_all([ApiKey(name=KEY, sha256=sha256(KEY.encode()).hexdigest())])
    return build_app(
        Predictions(in_service, log, "replica-0", Turns(0.25, 64)), Health(needed=set()), LIMIT_BYTES, keys=keys
    )


async def ask(app: ASGIApp, body: bytes) -> None:
    """Send one request for a prediction, as a server hands it on."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", HOST.encode()),
            (b"authorization", f"Bearer {KEY}".encode()),
            (b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode()),
            (b"content-length", str(len(body)).encode()),
        ],
        ARRIVED: time.monotonic(),
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8_000),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message.get("status", 200) != 200:
            raise SystemExit(f"A request was refused with {message['status']}.")

    await app(scope, receive, send)


class Records:
    """A publisher that makes the records of answers, and tells when those of so many answers are made."""

    def __init__(self) -> None:
        self._answers, self._changed = 0, asyncio.Condition()

    async def publish(self, events: Sequence[Event]) -> Sequence[Record]:
        """Make records."""
        for event in events:
            assert isinstance(event, AnswersLogged)
            encode(event, SOURCE)
            self._answers += len(event.answers)
        async with self._changed:
            self._changed.notify_all()
        return []

    async def publish_dead_letter(self, dead_letter: DeadLetter) -> None:
        """Never called: a replica publishes no dead letters about its answers."""
        raise AssertionError(f"A dead letter about {dead_letter.topic} was published.")

    async def wait_for(self, answers: int) -> None:
        """Wait until so many answers are in records."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._answers >= answers)


async def measure(pictures: list[bytes], artefact: bytes, nowhere: TextIO) -> float:
    """Print the CPU of the limit and of the API, and return the ratio. Lines go to `nowhere`."""
    configure("predictor-api", PredictorSettings(), SAMPLED)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(nowhere)
    log, records, model = PredictionLog(100_000), Records(), Model(artefact)
    app, bodies = serve(artefact, model, log), [form(picture) for picture in pictures]
    gc.collect()
    gc.freeze()  # as a service does
    publishing = asyncio.create_task(log.run(records))
    limits, answers = [], []
    for turn in range(TURNS):
        began = time.process_time()
        for picture in pictures * AGAIN:
            model.answer(prepare_image(picture).pixels)
        halfway = time.process_time()
        for body in bodies * AGAIN:
            await ask(app, body)
        await records.wait_for((turn + 1) * len(bodies) * AGAIN)
        limits.append(halfway - began)
        answers.append(time.process_time() - halfway)
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    gc.unfreeze()
    each = 1e6 / len(pictures) / AGAIN
    limit, answer = min(limits) * each, min(answers) * each
    print(f"CPU for a picture: limit {limit:.0f} us, the API {answer:.0f} us, ratio {answer / limit:.2f}")
    return answer / limit


def main() -> None:
    """Measure, and end with 1 above the most that is allowed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--most", type=float, default=1.45, help="largest ratio that is no failure")
    options = arguments.parse_args()
    pictures = [draw_thumbnail(number) for number in range(PICTURES)]
    with Path(os.devnull).open("w") as nowhere:
        found = asyncio.run(measure(pictures, learn_artefact(pictures), nowhere))
    if found > options.most:
        sys.exit(f"More than {options.most} times: see what an answer does beside decoding and the model.")


if __name__ == "__main__":
    main()
