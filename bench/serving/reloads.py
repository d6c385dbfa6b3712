"""What a replica holds after 500 models have come into service, one after another.

    python -m bench.serving.reloads

A replica of its own follows promotions on a Kafka of its own and loads artefacts from an object store. The trainer's
steps learn a model from drawn pictures; every tenth promotion brings it anew as a whole artefact with other weights of
its head, and those between them layers of corrections on the newest one, each larger than the one before. The candidate
after the next is always announced, so that it is loaded ahead, and a client asks for an answer every 50 ms. Printed:
memory (the share of the process, PSS), threads and open files after the first 20 and at the end.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import httpx2
import numpy as np
import psutil
from onnx import helper, numpy_helper

from bench.serving.overhead import draw_thumbnail, learn_artefact
from pappus.demo.drawing import DRAWN_LABELS
from pappus.stack import Servers
from pappus.stack.ports import free_ports
from pappus.stack.testing import servers_in
from shared.artefacts import parse_artefact, rows_of, write_layer
from shared.contract.artefact import LAYER_FORMAT_VERSION, METADATA_KEY, ArtefactMetadata, BaseArtefact
from shared.contract.events import ModelPromoted, ModelTrained
from shared.messaging.event_log import EventLog
from shared.messaging.kafka import create_topics, open_event_log
from shared.runtime.settings import Settings
from shared.storage.object_store import ObjectStore, open_object_store
from shared.testing import model_promoted, model_trained

WARM_UP, FULL_EVERY, MOST_GROWTH_MB = 20, 10, 20
ROWS = 20
"""So many corrections each layer has more than the one before it."""
PAUSE_SECONDS = 0.05
START_SECONDS, LOAD_SECONDS = 60.0, 30.0


class Held(NamedTuple):
    """What a process holds: bytes of memory that are its own or its share of, threads, open files."""

    pss_bytes: int
    threads: int
    files: int

    @classmethod
    def by(cls, process: psutil.Process) -> "Held":
        """Look at a process."""
        return cls(process.memory_full_info().pss, process.num_threads(), process.num_fds())

    def __str__(self) -> str:
        return f"{self.pss_bytes / 1e6:.1f} MB, {self.threads} threads, {self.files} open files"


class Models:
    """The artefacts of all promotions, made from one learned model."""

    def __init__(self, learned: bytes) -> None:
        self._learned = learned
        self._base: tuple[bytes, BaseArtefact] | None = None

    def artefact(self, number: int) -> tuple[bytes, str]:
        """Return artefact `number`, in their order, and its lane."""
        if number % FULL_EVERY == 0:
            return self._whole(number), "full"
        assert self._base is not None
        proto = parse_artefact(self._base[0])
        rows = rows_of(proto)
        assert rows is not None
        features, count = rows.centers.shape[1], ROWS * (number % FULL_EVERY)
        chance = np.random.default_rng(number)
        centers = chance.normal(size=(count, features)).astype(np.float32)  # [count, d]
        centers /= np.linalg.norm(centers, axis=1, keepdims=True)
        coefficients = chance.normal(size=(count, len(DRAWN_LABELS))).astype(np.float32)  # [count, c]
        said = replace(
            _metadata(self._base[0]),
            corrections=tuple((UUID(int=each), 1) for each in range(count)),
            base=self._base[1],
            format_version=LAYER_FORMAT_VERSION,
        )
        return write_layer(centers, coefficients, said.to_json()), "fast"

    def stored(self, artefact: bytes, key: str) -> None:
        """Remember where a whole artefact is: the layers after it are made on it."""
        self._base = artefact, BaseArtefact(key, sha256(artefact).hexdigest())

    def _whole(self, number: int) -> bytes:
        proto = parse_artefact(self._learned)
        for tensor in proto.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.dtype == np.float32 and values.ndim == 2:
                tensor.CopyFrom(numpy_helper.from_array(values * np.float32(1 + number * 1e-6), tensor.name))
        said = replace(_metadata(self._learned), manifest_sha256=sha256(str(number).encode()).hexdigest())
        del proto.metadata_props[:]
        helper.set_model_props(proto, {METADATA_KEY: said.to_json()})
        return bytes(proto.SerializeToString())


def _metadata(artefact: bytes) -> ArtefactMetadata:
    properties = {entry.key: entry.value for entry in parse_artefact(artefact).metadata_props}
    return ArtefactMetadata.from_json(properties[METADATA_KEY])


class Trainer:
    """Stores artefacts, announces candidates and promotes them."""

    def __init__(self, event_log: EventLog, store: ObjectStore, models: Models) -> None:
        self._event_log = event_log
        self._store = store
        self._models = models

    async def announce(self, number: int) -> ModelTrained:
        """Store artefact `number` and publish its candidate."""
        artefact, lane = self._models.artefact(number)
        event = model_trained(version=f"v{number}", lane=lane, artefact_sha256=sha256(artefact).hexdigest())
        await self._store.put(event.artefact_key, artefact)
        if lane == "full":
            self._models.stored(artefact, event.artefact_key)
        await self._publish(event)
        return event

    async def promote(self, trained: ModelTrained, number: int) -> None:
        """Publish the promotion of a candidate."""
        changes = {"version": trained.version, "lane": trained.lane, "artefact_sha256": trained.artefact_sha256}
        await self._publish(model_promoted(sequence=number + 1, **changes))

    async def _publish(self, event: ModelTrained | ModelPromoted) -> None:
        async with self._event_log.publisher("pappus/trainer") as publisher:
            await publisher.publish([event])


@contextmanager
def replica(servers: Servers, folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run a replica while the context is open; yield its process and address."""
    ports = free_ports(("port", "health_port"))
    settings = {
        **servers.settings("predictor"),
        **{name: str(port) for name, port in ports.items()},
        "replica": "api-0",
        "labels": json.dumps(DRAWN_LABELS),
        "state_folder": str(folder / "replica"),
    }
    environment = {**os.environ, **{f"PAPPUS_{name.upper()}": value for name, value in settings.items()}}
    with (folder / "replica.log").open("wb") as log:
        command = [sys.executable, "-m", "services.predictor.api"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield psutil.Process(process.pid), f"http://127.0.0.1:{ports['health_port']}"
        finally:
            process.terminate()
            process.wait()


async def wait_for(client: httpx2.AsyncClient, version: str, seconds: float) -> None:
    """Wait until a version serves. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        serving = ""
        while serving != version:
            try:
                response = await client.get("/model", params={"other_than": serving, "wait_seconds": 1})
                serving = response.json().get("version", "") if response.status_code == 200 else ""
            except httpx2.TransportError:
                serving = ""
            if not serving:
                await asyncio.sleep(0.1)


async def keep_asking(client: httpx2.AsyncClient, counts: dict[int, int]) -> None:
    """Ask for an answer every 50 ms, until cancelled; count them by their status."""
    pictures = [draw_thumbnail(number) for number in range(10)]
    turn = 0
    while True:
        response = await client.post("/predict", content=pictures[turn % 10], headers={"content-type": "image/jpeg"})
        counts[response.status_code] = counts.get(response.status_code, 0) + 1
        turn += 1
        await asyncio.sleep(PAUSE_SECONDS)


def measure(reloads: int) -> float:
    """Run it, print the figures, and return by how many MB the replica grew."""
    learned = learn_artefact([draw_thumbnail(number) for number in range(80)])
    with tempfile.TemporaryDirectory(prefix="pappus-bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)
        servers_of = servers_in(folder / "state", ("postgres", "kafka", "s3"))
        with servers_of as servers, replica(servers, folder) as (process, url):
            return asyncio.run(_measure(servers, process, url, learned, reloads))


async def _measure(servers: Servers, process: psutil.Process, url: str, learned: bytes, reloads: int) -> float:
    await create_topics(servers.kafka)
    counts: dict[int, int] = {}
    async with (
        open_event_log(servers.kafka) as event_log,
        open_object_store(Settings.model_validate(servers.settings("trainer"))) as store,
        httpx2.AsyncClient(base_url=url, timeout=30) as client,
    ):
        trainer = Trainer(event_log, store, Models(learned))
        ahead = [await trainer.announce(0)]
        began, before = time.monotonic(), None
        asking = None
        for number in range(reloads + WARM_UP):
            ahead.append(await trainer.announce(number + 1))
            await trainer.promote(ahead.pop(0), number)
            await wait_for(client, f"v{number}", START_SECONDS if number == 0 else LOAD_SECONDS)
            asking = asking or asyncio.create_task(keep_asking(client, counts))
            if number == WARM_UP - 1:
                before, began = Held.by(process), time.monotonic()
                print(f"after {WARM_UP} models: {before}", flush=True)
            elif number % 100 == WARM_UP - 1:
                print(f"after {number + 1} models: {Held.by(process)}", flush=True)
        assert asking is not None
        assert before is not None
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        after, seconds = Held.by(process), time.monotonic() - began
    grown = (after.pss_bytes - before.pss_bytes) / 1e6
    answered = ", ".join(f"{count} times {status}" for status, count in counts.items())
    print(f"after {reloads} more: {after}; {seconds / reloads * 1000:.0f} ms each; answers meanwhile: {answered}")
    print(f"growth: {grown:.1f} MB (wanted: at most {MOST_GROWTH_MB})")
    return grown


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--reloads", type=int, default=500)
    options = arguments.parse_args()
    sys.exit(measure(options.reloads) > MOST_GROWTH_MB)
