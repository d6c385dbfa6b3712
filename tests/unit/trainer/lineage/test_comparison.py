"""What is said about a model that is made again."""

from uuid import UUID

import pytest

from services.trainer.lineage.decisions.comparison import (
    Finding,
    Made,
    differing_origins,
    differing_parameters,
    unreadable_images,
    verdict,
)
from services.trainer.model.made_with import made_with
from shared.testing import model_trained

RECORDED = model_trained(version="full-1", weights_sha256="a" * 64, artefact_sha256="b" * 64, backbone_id="c" * 64)
SAME = Made("a" * 64, "b" * 64, "c" * 64)


def test_each_parameter_that_differs_is_named_with_both_values() -> None:
    [found] = differing_parameters({"ridge": 0.01, "old": 1, "kappa": 40}, {"ridge": 0.1, "kappa": 40})
    assert found.what == "parameters"
    assert "old was 1 and is not there; ridge was 0.01 and is 0.1" in found.sentence


def test_the_name_of_a_lost_artefact_is_no_parameter() -> None:
    assert differing_parameters({"ridge": 0.01, "replaces": "f" * 64}, {"ridge": 0.01}) == []


def test_libraries_and_the_cpu_are_told_apart() -> None:
    found = differing_origins({"numpy": "1", "cpu": "x", "torch": "2"}, {"numpy": "2", "cpu": "y", "torch": "2"})
    assert [(each.what, "numpy 1 then, 2 now" in each.sentence) for each in found] == [
        ("libraries", True),
        ("cpu", False),
    ]


def test_what_was_not_written_down_is_said_to_be_so() -> None:
    assert [each.what for each in differing_origins({}, {"numpy": "2"})] == ["libraries", "cpu"]
    assert all("written down" in each.sentence for each in differing_origins({}, {}))


def test_this_machine_differs_from_itself_in_nothing() -> None:
    assert differing_origins(made_with(), made_with()) == []
    assert {"numpy", "onnxruntime", "python", "cpu", "blas_kernels"} <= made_with().keys()


def test_of_many_lost_images_five_are_named() -> None:
    assert unreadable_images([], 10) == []
    [found] = unreadable_images([UUID(int=number) for number in range(7)], 10)
    assert found.sentence.startswith("7 of 10 images are gone")
    assert found.sentence.endswith("and 2 more.")


@pytest.mark.parametrize(
    ("made", "findings", "said"),
    [
        (SAME, [], "the same: all weights are equal, bit for bit; its file, too"),
        (Made("a" * 64, "0" * 64, "c" * 64), [], "not its file"),
        (Made("0" * 64, "b" * 64, "c" * 64), [], "this is a bug"),
        (Made("0" * 64, "b" * 64, "0" * 64), [Finding("cpu", "Another.")], "other weights in the backbone"),
        (None, [Finding("manifest", "Lost.")], "cannot be made again here"),
    ],
)
def test_the_verdict_is_one_sentence_or_two(made: Made | None, findings: list[Finding], said: str) -> None:
    assert said in verdict(RECORDED, made, findings)
    assert ("bug" in verdict(RECORDED, made, findings)) == (said == "this is a bug")
