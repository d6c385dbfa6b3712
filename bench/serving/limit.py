"""The limit of a machine: the model in service answers photographs in one process for each core, without HTTP."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier as BarrierType
from pathlib import Path
from queue import Queue

from services.predictor.model.artefact_folder import ArtefactFolder
from services.predictor.model.onnx_model import Graph, Model, ParsedArtefact
from shared.imaging.preprocessing import prepare_image


@dataclass(frozen=True)
class Limit:
    """What all cores answer in process: `a_second`, and the CPU milliseconds of one answer."""

    a_second: float
    cpu_milliseconds: float


def load_model(source: Path) -> Model:
    """Return the model of a file, or the one that a replica kept last in its folder of artefacts."""
    if source.is_file():
        return Model(source.read_bytes())
    artefact, base = _kept(source)
    parsed = ParsedArtefact.of(artefact)
    if base is None or parsed.metadata.base is None:
        return Model(parsed)
    return Model(parsed, bases={parsed.metadata.base.sha256: Graph(ParsedArtefact.of(base))})


def whole_model(folder: Path) -> bytes:
    """Return the file that any onnxruntime can answer with: of a layer alone the artefact that it belongs to."""
    artefact, base = _kept(folder)
    return artefact if base is None else base


def _kept(folder: Path) -> tuple[bytes, bytes | None]:
    kept = ArtefactFolder(folder)
    promotions = kept.promotions()
    artefact = kept.read(promotions[0].artefact_sha256) if promotions else None
    if artefact is None:
        raise SystemExit(f"There is no model in {folder}: run pappus demo first.")
    base = ParsedArtefact.of(artefact).metadata.base
    return artefact, None if base is None else kept.read(base.sha256)


def measure_limit(source: Path, images: Sequence[bytes], cores: int, seconds: float) -> Limit:
    """Answer with the model of `load_model` in so many processes for so long."""
    context = get_context("spawn")
    barrier, results = context.Barrier(cores), context.SimpleQueue()
    processes = [
        context.Process(target=_answer, args=(source, list(images), seconds, barrier, results)) for _ in range(cores)
    ]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    answered, wall, cpu = (sum(each[part] for each in found) for part in range(3))
    return Limit(answered / (wall / cores), cpu / answered * 1000)


def _answer(
    source: Path, images: list[bytes], seconds: float, barrier: BarrierType, results: "Queue[tuple[int, float, float]]"
) -> None:
    model = load_model(source)
    for image in images:
        model.answer(prepare_image(image).pixels)
    barrier.wait()
    began, cpu_began, answered = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < seconds:
        model.answer(prepare_image(images[answered % len(images)]).pixels)
        answered += 1
    results.put((answered, time.perf_counter() - began, time.process_time() - cpu_began))
