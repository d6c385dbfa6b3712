"""Which images the demo runs on (a folder, a URL template, public photographs, or drawn ones), and how to read them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from pappus.client import Refused
from pappus.demo.drawing import DRAWN_LABELS, write_set
from pappus.plants import PlantRow

PUBLIC_TEMPLATE = (
    "https://raw.githubusercontent.com/btphan95/greenr-airflow/refs/heads/master/data/{label}/{number:08d}.jpg"
)
IMAGES_PER_LABEL = 200
DRAWN_PER_LABEL = 100
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Images with their true labels. `folder` is what the local image server has to offer; None for public URLs."""

    description: str
    rows: tuple[PlantRow, ...]
    folder: Path | None

    async def read(self, row: PlantRow, base_url: str) -> bytes:
        """The bytes of one image, as a person who has the file would upload it."""
        if self.folder is not None:
            path = self.folder / row.url_source.removeprefix(base_url).lstrip("/")
            return await asyncio.to_thread(path.read_bytes)
        async with httpx.AsyncClient(timeout=30, follow_redirects=True) as http:
            return (await http.get(row.url_source)).raise_for_status().content


async def choose(images: str | None, labels: Sequence[str], base_url: str, drawn_folder: Path) -> ImageSource:
    """The images of `--images`; without it the public photographs if they can be reached, else drawn ones.

    `base_url` is where the local image server answers. Raises Refused with what to do.
    """
    if images is not None and "://" in images:
        return _template(images, labels)
    if images is not None:
        return _folder(Path(images), labels, base_url, f"the images in {images}")
    if set(labels) == set(DRAWN_LABELS):
        if await _reachable(PUBLIC_TEMPLATE.format(label=labels[0], number=0)):
            return _template(PUBLIC_TEMPLATE, labels)
        await asyncio.to_thread(write_set, drawn_folder, DRAWN_PER_LABEL)
        return _folder(
            drawn_folder, labels, base_url, "drawn dandelions and grass (the public photographs are out of reach)"
        )
    raise Refused(
        f"There are no ready images for the labels {', '.join(labels)}: give a folder, --images FOLDER/<label>/*.jpg"
    )


def _template(template: str, labels: Sequence[str]) -> ImageSource:
    try:
        rows = tuple(
            PlantRow(template.format(label=label, number=number), label)
            for label in labels
            for number in range(IMAGES_PER_LABEL)
        )
    except (KeyError, IndexError, ValueError) as error:
        raise Refused(
            f"{template!r} is not a URL template: use {{label}} and {{number}}, as in {PUBLIC_TEMPLATE}"
        ) from error
    return ImageSource(f"{len(rows)} images from {template}", rows, None)


def _folder(folder: Path, labels: Sequence[str], base_url: str, description: str) -> ImageSource:
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder. Give a folder with one subfolder per label: <label>/*.jpg")
    rows = tuple(
        PlantRow(f"{base_url}/{label}/{path.name}", label)
        for label in labels
        for path in sorted((folder / label).glob("*"))
        if path.suffix.lower() in SUFFIXES
    )
    missing = [label for label in labels if not any(row.label == label for row in rows)]
    if missing:
        raise Refused(
            f"{folder} has no images for {', '.join(missing)}: expected files such as {folder}/{missing[0]}/1.jpg"
        )
    return ImageSource(f"{description}: {len(rows)} files", rows, folder)


async def _reachable(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=4, follow_redirects=True) as http:
            return (await http.head(url)).status_code == 200
    except httpx.HTTPError:
        return False
