import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.dataset.manifest import Sample, manifest_from_json, manifest_of

SAMPLES = st.lists(
    st.builds(
        Sample,
        image_id=st.uuids(),
        sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
        label=st.sampled_from(["dandelion", "grass", "Löwenzahn"]),
        revision=st.integers(0, 9),
        side=st.sampled_from(["train", "test"]),
    ),
    unique_by=lambda sample: sample.image_id,
)


def sample(number: int = 1, label: str = "grass", revision: int = 0) -> Sample:
    return Sample(UUID(int=number), "ab" * 32, label, revision, "train")


@given(SAMPLES, st.randoms())
def test_the_order_in_which_samples_come_does_not_matter(samples: list[Sample], random: object) -> None:
    assert manifest_of(samples).sha256 == manifest_of(reversed(samples)).sha256


@given(SAMPLES)
def test_a_manifest_survives_its_json(samples: list[Sample]) -> None:
    manifest = manifest_of(samples)
    assert manifest_from_json(manifest.json) == manifest


def test_toggling_a_label_back_is_another_dataset() -> None:
    assert manifest_of([sample(revision=0)]).sha256 != manifest_of([sample(revision=2)]).sha256


def test_an_image_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        manifest_of([sample(revision=0), sample(revision=1)])


@pytest.mark.parametrize("text", ["", "[]", '{"samples": 3}', '{"samples": [{"image_id": "x"}]}'])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="manifest"):
        manifest_from_json(text)


def test_the_json_is_the_sorted_and_compact_one() -> None:
    sample = Sample(UUID(int=7), 'a"b', "Löwenzahn \\ \n", 3, "test")
    fields = {**vars(sample), "image_id": str(sample.image_id)}
    assert manifest_of([sample]).json == json.dumps({"samples": [fields]}, sort_keys=True, separators=(",", ":"))
