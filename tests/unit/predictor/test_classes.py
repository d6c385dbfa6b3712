"""Which classes a model may name here: from the log, and from disk while that is away."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.predictor.model.artefact_folder import ArtefactFolder
from services.predictor.model.classes import KnownClasses
from services.predictor.model.model_files import ModelFiles
from services.predictor.model.onnx_model import InvalidArtefact
from shared.contract.label_set import LabelSetChanged
from shared.testing import MemoryEventLog, MemoryObjectStore, eventually, label_set_changed
from tests.unit.predictor.following import following
from tests.unit.predictor.promotions import promotion
from tests.unit.predictor.small_model import METADATA, small_artefact

LABELS = ("dandelion", "grass")
ADDED = label_set_changed()
RENAMED = label_set_changed({"dandelion": "dandelion", "grass": "lawn", "moss": "moss"}, revision=2)


async def publish(event_log: MemoryEventLog, *events: LabelSetChanged) -> None:
    async with event_log.publisher("pappus/labeler") as publisher:
        await publisher.publish(events)


async def test_the_classes_are_known_before_the_first_model_is_loaded() -> None:
    event_log, classes = MemoryEventLog(), KnownClasses(LABELS)
    await publish(event_log, ADDED, ADDED, RENAMED)
    async with event_log.publisher("pappus/trainer") as publisher:
        await publisher.publish([promotion(1)])
    async with following(event_log, classes=classes) as targets:
        await eventually(lambda: bool(targets))
        assert classes.current.labels == ("dandelion", "grass", "moss")
        assert classes.current.name_of("grass") == "lawn"


async def test_a_change_is_known_while_it_runs_and_after_a_restart(tmp_path: Path) -> None:
    event_log, file = MemoryEventLog(), tmp_path / "kept" / "classes"
    classes = KnownClasses(LABELS, file)
    assert classes.current.labels == LABELS
    async with following(event_log, classes=classes) as targets:
        await eventually(lambda: bool(targets))
        await publish(event_log, ADDED)
        await eventually(lambda: "moss" in classes.current.labels)
        await eventually(file.exists)
    assert KnownClasses(LABELS, file).current.labels == ("dandelion", "grass", "moss")
    async with following(
        MemoryEventLog(), classes=(after := KnownClasses(LABELS, file))
    ) as targets:  # the log was replaced
        await eventually(lambda: bool(targets))
        assert after.current.labels == LABELS
    assert not file.exists()


async def test_a_file_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "classes").write_text("rubbish")
    assert KnownClasses(LABELS, tmp_path / "classes").current.labels == LABELS


async def test_a_model_with_an_added_class_loads_once_that_is_known(tmp_path: Path) -> None:
    artefact = small_artefact(metadata=replace(METADATA, labels=("moss", "grass")))
    event, store, classes = promotion(1, artefact), MemoryObjectStore(), KnownClasses(LABELS, tmp_path / "classes")
    await store.put(event.artefact_key, artefact)
    folder = ArtefactFolder(tmp_path)
    files = ModelFiles(store, folder, classes)
    with pytest.raises(InvalidArtefact, match="moss"):
        await files.fetch(event)
    classes.fold(ADDED)
    await classes.show()
    assert (await files.fetch(event)).model.metadata.labels == ("moss", "grass")
    folder.keep(event, artefact)
    again = ModelFiles(MemoryObjectStore(), folder, KnownClasses(LABELS, tmp_path / "classes"))
    kept = await again.read_kept(event)  # without log and store
    assert kept is not None
    assert kept.model.metadata.labels == ("moss", "grass")
