"""Processes that torchrun starts learn one backbone together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.trainer.training.epochs import EpochCurves
from services.trainer.training.processes import check_agreement, size

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FEW = {"steps": 6, "batch": 8, "width": 8}
PROGRAM = """
import json, sys
from services.trainer.training import end_followers, follow_trainings, recipe_parameters, train_backbone
from services.trainer.training.processes import rank
from tests.unit.trainer.training.test_processes import FEW
from tests.unit.trainer.training.test_training import stripes_and_dots
number = rank()
if number:
    found = follow_trainings()
else:
    images, labels = stripes_and_dots(24, seed=0)
    found = [train_backbone("cnn", images, 3, FEW, labels=labels).id, recipe_parameters("cnn", FEW)["processes"]]
    end_followers()
with open(f"{sys.argv[1]}/{number}.json", "w") as file:
    json.dump(found, file)
"""


def test_two_processes_learn_one_backbone_that_they_agree_on(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    project = Path(__file__).parents[4]
    ended = subprocess.run(
        [sys.executable, *torchrun, str(program), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(project), "PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert ended.returncode == 0, ended.stderr
    leader, follower = (json.loads((tmp_path / f"{number}.json").read_text()) for number in (0, 1))
    assert leader == [*follower, 2]  # the number of processes is a parameter: their models have versions of their own
    assert len(follower) == 1


def test_without_torchrun_there_is_one_process() -> None:
    assert size() == 1
    check_agreement("nothing to compare")


def test_an_epoch_is_the_mean_of_its_steps_and_the_last_may_be_shorter() -> None:
    curves = EpochCurves(2)
    for loss in (4.0, 2.0, 1.0):
        curves.add(loss=loss, rate=0.5)
    assert curves.means() == {"loss": (3.0, 1.0), "rate": (0.5, 0.5)}
