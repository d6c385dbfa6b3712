"""The images of the demo: a folder, a URL template, public photographs, or drawn ones."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx2

from pappus.demo.drawing import DRAWN_LABELS, write_set
from pappus.errors import Refused, read_image
from pappus.plants import PlantRow
from shared.runtime.text import clean_typed

PUBLIC_TEMPLATE = (
    "https://raw.githubusercontent.com/btphan95/greenr-airflow/refs/heads/master/data/{label}/{number:08d}.jpg"
)
IMAGES_PER_LABEL = 200
DRAWN_PER_LABEL = 100
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Images with their true labels. `files` are served by the local image server, each at its URL; none for public
    URLs."""

    description: str
    rows: tuple[PlantRow, ...]
    files: Mapping[str, Path]

    async def read(self, row: PlantRow) -> bytes:
        """Return the bytes of one image, as a user would upload them. Raises Refused if it cannot be read."""
        if row.url_source in self.files:
            return await asyncio.to_thread(read_image, self.files[row.url_source])
        try:
            async with httpx2.AsyncClient(timeout=30, follow_redirects=True) as http:
                return (await http.get(row.url_source)).raise_for_status().content
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise Refused(f"Cannot read {row.url_source}: {why}. Try again, or use --images FOLDER") from error


async def choose(images: str | None, labels: Sequence[str], base_url: str, drawn_folder: Path) -> ImageSource:
    """Return the images of `--images`; without it the public photographs if they can be reached, else drawn ones.

    `base_url` is where the local image server answers, with a path that no other program knows. Raises Refused with
    what to do.
    """
    if images is not None and "://" in images:
        return _template(images, labels)
    if images is not None:
        return await asyncio.to_thread(_folder, Path(images), labels, base_url, f"the images in {images}")
    if set(labels) == set(DRAWN_LABELS):
        if await _reachable(PUBLIC_TEMPLATE.format(label=labels[0], number=0)):
            return _template(PUBLIC_TEMPLATE, labels)
        await asyncio.to_thread(write_set, drawn_folder, DRAWN_PER_LABEL)
        described = "drawn dandelions and grass (the public photographs are out of reach)"
        return await asyncio.to_thread(_folder, drawn_folder, labels, base_url, described)
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
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise Refused(
            f"{template!r} is not a URL template: use {{label}} and {{number}}, as in {PUBLIC_TEMPLATE}"
        ) from error
    if len({row.url_source for row in rows}) < len(rows):
        raise Refused(f"{template!r} must contain {{label}} and {{number}}, as in {PUBLIC_TEMPLATE}")
    return ImageSource(f"{len(rows)} images from {template}", rows, {})


def _folder(folder: Path, labels: Sequence[str], base_url: str, description: str) -> ImageSource:
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder. Give a folder with one subfolder per label: <label>/*.jpg")
    found = [
        (label, path)
        for label in labels
        for subfolder in sorted(folder.iterdir())
        if clean_typed(subfolder.name) == label  # some systems write the names of folders in another form of Unicode
        for path in sorted(subfolder.glob("[!.]*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    files = {_url_of(path, base_url): path for _, path in found}
    rows = tuple(PlantRow(url, label) for url, (label, _) in zip(files, found, strict=True))
    missing = [label for label in labels if not any(row.label == label for row in rows)]
    if missing:
        raise Refused(
            f"{folder} has no images for {', '.join(missing)}: expected files such as {folder}/{missing[0]}/1.jpg"
        )
    return ImageSource(f"{description}: {len(rows)} files", rows, files)


def _url_of(path: Path, base_url: str) -> str:
    """Return the URL of this file on the local image server. The URL has a hash of the content, so that an edited file
    is a new row."""
    content = hashlib.sha256(read_image(path)).hexdigest()[:16]
    return f"{base_url}/{_quoted(path.parent.name)}/{_quoted(path.name)}?{content}"


def _quoted(name: str) -> str:
    return quote(name, errors="surrogateescape")


async def _reachable(url: str) -> bool:
    try:
        async with httpx2.AsyncClient(timeout=4, follow_redirects=True) as http:
            return (await http.head(url)).status_code == 200
    except httpx2.HTTPError:
        return False
