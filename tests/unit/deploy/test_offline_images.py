"""The Dockerfiles of the stand-ins: what they take from a file of pins is pinned there. No Docker is needed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCKERFILES = sorted((ROOT / "infra/offline").glob("*/Dockerfile"))
TAKEN = re.compile(r"sed -n 's/\^\\\(([a-z0-9-]+)==[^']*' /tmp/([a-z]+\.txt)")
"""`sed -n 's/^\\(NAME==...' /tmp/FILE`: the line of one package."""


def taken(dockerfile: Path) -> list[tuple[str, str]]:
    """Return which packages a Dockerfile takes from which files of pins."""
    return TAKEN.findall(dockerfile.read_text())


def test_the_stand_ins_take_packages_from_files_of_pins() -> None:
    assert {"postgres", "kafka", "s3", "jaeger"} <= {file.parent.name for file in DOCKERFILES if taken(file)}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda file: file.parent.name)
def test_what_a_stand_in_takes_is_pinned_in_the_file_it_copies(dockerfile: Path) -> None:
    for package, file in taken(dockerfile):
        assert f"requirements/{file}" in dockerfile.read_text()
        pins = (ROOT / "requirements" / file).read_text().splitlines()
        assert any(line.startswith(f"{package}==") for line in pins), f"{package} is not in {file}"
