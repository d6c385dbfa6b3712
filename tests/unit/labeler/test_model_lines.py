"""How two versions differ, from the verdicts between them; and how their data sets do."""

from uuid import UUID

import pytest

from services.labeler.decisions.data_sets import Sample, difference, read_manifest
from services.labeler.decisions.model_lines import add_up, verdicts_between, versions_before
from shared.contract.events import VerdictEvidence

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def evidence(*, gained: tuple[UUID, ...] = (), lost: tuple[UUID, ...] = (), unnamed: int = 0) -> VerdictEvidence:
    return VerdictEvidence(gained=len(gained) + unnamed, gained_images=gained, lost=len(lost), lost_images=lost)


def test_a_version_was_compared_with_the_one_before_its_first_promotion() -> None:
    assert versions_before(["one", "two", "one", "three"]) == {"one": None, "two": "one", "three": "one"}


@pytest.mark.parametrize(
    ("version", "against", "between"),
    [
        ("four", "two", (["four", "three"], [])),
        ("two", "four", ([], ["four", "three"])),
        ("other", "four", (["other"], ["four", "three"])),
        ("four", "four", ([], [])),
        ("one", "two", ([], ["two"])),
    ],
)
def test_the_verdicts_between_lead_to_the_common_version(
    version: str, against: str, between: tuple[list[str], list[str]]
) -> None:
    before = {**versions_before(["one", "two", "three", "four"]), "other": "two"}
    assert verdicts_between(before, version, against) == between


def test_what_was_gained_and_lost_again_is_no_difference() -> None:
    verdicts = [evidence(gained=(A, B)), evidence(lost=(A,)), evidence(lost=(C,))]
    assert add_up(verdicts, []) == ([B], [C], True)
    assert add_up([], verdicts) == ([C], [B], True)
    assert add_up(verdicts, verdicts) == ([], [], True)


def test_a_verdict_without_all_images_makes_it_incomplete() -> None:
    assert add_up([evidence(gained=(A,), unnamed=1)], []) == ([A], [], False)
    assert add_up([None], [evidence(lost=(A,))]) == ([A], [], False)


def test_data_sets_differ_in_images_and_labels() -> None:
    grass, dandelion = Sample("grass", "train"), Sample("dandelion", "train")
    found = difference({A: grass, B: grass}, {B: dandelion, C: grass}, most=2)

    assert (found.added, found.removed, found.relabelled) == (1, 1, 1)
    assert [(one.image_id, one.before, one.after) for one in found.changes] == [(B, grass, dandelion), (C, None, grass)]


@pytest.mark.parametrize("text", [b"", b"[]", b'{"samples": [{}]}', b'{"samples": [{"image_id": 1, "label": "a"}]}'])
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a manifest"):
        read_manifest(text)
