"""What models have learned from, and how it differs."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.trainer.dataset.manifest import Manifest, Sample, manifest_of
from services.trainer.lineage.checkout import folder_name
from services.trainer.lineage.decisions.data_sets import data_set_of, difference, name_of
from shared.contract.events import AppliedCorrection
from shared.contract.split import Side


def sample(number: int, label: str = "grass", revision: int = 0, side: Side = "train") -> Sample:
    return Sample(UUID(int=number), f"{number:064x}", label, revision, side)


def manifest(*samples: Sample) -> Manifest:
    return manifest_of(samples)


def test_a_layer_lies_over_what_backbone_and_head_learned() -> None:
    held = [AppliedCorrection(image_id=UUID(int=2), revision=1), AppliedCorrection(image_id=UUID(int=3), revision=1)]
    layer = manifest(sample(2, "dandelion", 1), sample(3, "dandelion", 1))

    found = data_set_of(manifest(sample(1), sample(2)), layer, held)

    assert [(entry.sample.label, entry.in_layer) for entry in found.values()] == [
        ("grass", False),
        ("dandelion", True),
        ("dandelion", True),
    ]


def test_each_kind_of_difference_is_a_list_of_its_own() -> None:
    first = data_set_of(manifest(sample(1), sample(2), sample(3), sample(4)), None, [])
    second = data_set_of(manifest(sample(1), sample(2, "dandelion"), sample(3, side="test"), sample(5)), None, [])

    found = difference(first, second)

    assert [[each.image_id.int for each in part] for part in (found.added, found.removed)] == [[5], [4]]
    assert [[each.image_id.int for each in part] for part in (found.relabelled, found.moved)] == [[2], [3]]


NUMBERS = st.sets(st.integers(min_value=0, max_value=9))


@given(NUMBERS, NUMBERS)
def test_a_difference_read_backwards_is_the_difference_backwards(left: set[int], right: set[int]) -> None:
    first, second = (data_set_of(manifest(*map(sample, numbers)), None, []) for numbers in (left, right))
    there, back = difference(first, second), difference(second, first)
    assert [each.image_id for each in there.added] == [each.image_id for each in back.removed]
    assert (name_of(first) == name_of(second)) == (left == right)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_labels_are_folders_of_their_own_inside_the_checkout(label: str, other: str) -> None:
    name = folder_name(label)
    assert "/" not in name
    assert name not in ("", ".", "..")
    assert len(name.encode(errors="surrogatepass")) <= 255
    assert label == other or name != folder_name(other)
