"""A full training on a folder of images, by the functions that the full lane's child process runs."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from services.trainer.dataset.manifest import Manifest
from services.trainer.full_lane.image_folder import path_in
from services.trainer.full_lane.jobs import FitJob, Fitted, Learned, LearnJob
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.full_lane.training_steps import fit, learn


def link_images(files: Iterable[Path], folder: Path) -> Path:
    """Link the files into `folder` where a training looks for them, by sha256; return `folder`."""
    for file in files:
        link = path_in(folder, sha256(file.read_bytes()).hexdigest())
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(file.resolve())
    return folder


def train(manifest: Manifest, folder: Path, labels: tuple[str, ...]) -> tuple[Learned, Fitted]:
    """Learn the default backbone and fit a model to the manifest, whose images lie in `folder`."""
    settings = FullLaneSettings()
    job = LearnJob(manifest, folder, settings.backbone, settings.backbone_settings)
    learned = learn(job)
    return learned, fit(FitJob(job, manifest, labels))
