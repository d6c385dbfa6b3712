"""The last good artefacts on disk."""

from pathlib import Path

import pytest

from services.predictor.model.artefact_folder import KEPT, ArtefactFolder
from tests.unit.predictor.promotions import promotion


@pytest.fixture
def folder(tmp_path: Path) -> ArtefactFolder:
    return ArtefactFolder(tmp_path / "artefacts")


def test_a_kept_artefact_is_found_by_its_hash(folder: ArtefactFolder) -> None:
    folder.keep(promotion(1, b"one"), b"one")
    assert folder.read(promotion(1, b"one").artefact_sha256) == b"one"
    assert folder.read(promotion(2, b"two").artefact_sha256) is None


def test_an_empty_folder_holds_nothing(folder: ArtefactFolder) -> None:
    assert folder.promotions() == []


def test_only_the_last_three_are_kept_the_last_one_first(folder: ArtefactFolder, tmp_path: Path) -> None:
    for number in range(1, 7):
        folder.keep(promotion(number, bytes([number])), bytes([number]))
    assert [each.sequence for each in folder.promotions()] == [6, 5, 4]
    assert len(list((tmp_path / "artefacts").iterdir())) == 2 * KEPT


def test_an_old_artefact_that_serves_again_is_the_newest(folder: ArtefactFolder) -> None:
    for number in (1, 2, 3):
        folder.keep(promotion(number, bytes([number])), bytes([number]))
    folder.keep(promotion(4, bytes([1])), bytes([1]))
    assert [each.sequence for each in folder.promotions()] == [4, 3, 2]


def test_a_damaged_artefact_is_as_good_as_none(folder: ArtefactFolder, tmp_path: Path) -> None:
    folder.keep(promotion(1, b"one"), b"one")
    next((tmp_path / "artefacts").glob("*.onnx")).write_bytes(b"on")
    assert folder.read(promotion(1, b"one").artefact_sha256) is None


def test_a_damaged_base_is_written_again_with_the_next_layer(folder: ArtefactFolder, tmp_path: Path) -> None:
    base = promotion(1, b"whole").artefact_sha256
    folder.keep(promotion(2, b"rows"), b"rows", b"whole")
    (tmp_path / "artefacts" / f"{base}.base").write_bytes(b"who")
    assert folder.read(base) is None
    folder.keep(promotion(3, b"more rows"), b"more rows", b"whole")
    assert folder.read(base) == b"whole"


def test_a_note_that_cannot_be_read_is_left_out(folder: ArtefactFolder, tmp_path: Path) -> None:
    folder.keep(promotion(1, b"one"), b"one")
    (tmp_path / "artefacts" / "broken.json").write_text("{")
    assert [each.sequence for each in folder.promotions()] == [1]
