"""What a run says about a training."""

import pytest

from services.trainer.recorder.run_contents import class_rows, curves, dataset, parameters
from shared.testing import model_trained


def test_figures_of_each_class_follow_from_the_confusion_matrix() -> None:
    rows = class_rows(("a", "b", "c"), ((8, 2, 0), (0, 10, 0), (0, 0, 0)))
    assert rows[0] == ["a", 10, 0.8, 1.0, pytest.approx(16 / 18)]
    assert rows[1] == ["b", 10, 1.0, pytest.approx(10 / 12), pytest.approx(20 / 22)]
    assert rows[2] == ["c", 0, None, None, None]


def test_curves_of_the_backbone_stand_beside_that_of_the_head() -> None:
    trained = model_trained(curve=(0.5,), curves={"backbone_loss": (0.9, 0.6)})
    assert curves(trained) == {"backbone_loss": (0.9, 0.6), "loss": (0.5,)}


def test_parameters_name_the_environment() -> None:
    assert parameters(model_trained(made_with={"torch": "2.9"}))["environment.torch"] == "2.9"


def test_data_sets_are_equal_when_their_manifests_are() -> None:
    one = model_trained(version="a", manifest_key="manifests/x.json", manifest_sha256="ab" * 32)
    other = model_trained(version="b", manifest_key="manifests/x.json", manifest_sha256="ab" * 32)
    assert dataset(one, "pappus") == dataset(other, "pappus")
    assert dataset(one, "pappus") != dataset(model_trained(), "pappus")
