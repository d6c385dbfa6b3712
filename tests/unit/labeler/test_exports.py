"""Exports: what they say, what their files are called, and that they are written as they are read."""

import csv
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from io import BytesIO, StringIO
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.labeler.api.export_archives import MISSING, archive_of, imagefolder_of
from services.labeler.api.export_formats import COLUMNS, coco_of, csv_of
from services.labeler.decisions.exported_names import file_name, folder_names
from shared.testing import MemoryObjectStore

FOLDERS = folder_names(["grass", "dandelion"])


def row(number: int = 1, **changes: Any) -> Any:
    """Return an image as the query of an export gives it."""
    values = {
        "image_id": UUID(int=number),
        "name": "IMG_1.JPG",
        "sha256": "a" * 64,
        "label": "grass",
        "flagged": None,
        "trust": "reviewed",
        "decided_by": "anna",
        "decided_at": datetime(2026, 5, 4, 12, tzinfo=UTC),
        "stored_at": datetime(2026, 5, 4, 12, tzinfo=UTC),
        "side": "training",
        "predicted": "dandelion",
        "confidence": 0.75,
        "model_version": "full-1",
        "width": 640,
        "height": 480,
        "object_key": f"images/{number}",
        "image_format": "jpeg",
    }
    return values | changes


async def rows(*images: Any) -> AsyncIterator[Any]:
    for image in images:
        yield image


async def whole(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in content])


async def archive(content: AsyncIterator[bytes]) -> zipfile.ZipFile:
    found = zipfile.ZipFile(BytesIO(await whole(content)))
    assert found.testzip() is None
    return found


async def store_of(*images: Any) -> MemoryObjectStore:
    store = MemoryObjectStore()
    for image in images:
        await store.put(image["object_key"], f"bytes of {image['image_id']}".encode())
    return store


async def test_a_table_has_a_line_for_each_image_and_computes_nothing() -> None:
    images = [row(1), row(2, name='=HYPERLINK("x")', label=None, flagged="unusable"), row(3, name='a "b",\nc')]
    found = list(csv.DictReader(StringIO((await whole(csv_of(rows(*images)))).decode(), newline="")))

    assert tuple(found[0]) == COLUMNS
    assert [line["name"] for line in found] == ["IMG_1.JPG", '\'=HYPERLINK("x")', 'a "b",\nc']
    assert (found[0]["label"], found[0]["by"], found[0]["answer"], found[0]["confidence"]) == (
        "grass",
        "anna",
        "dandelion",
        "0.75",
    )
    assert (found[1]["label"], found[1]["no_label"]) == ("", "unusable")


async def test_coco_has_an_annotation_for_each_image_with_a_label() -> None:
    images = [row(1), row(2, label=None, flagged="unlabelled"), row(3, label="dandelion")]
    found = json.loads(await whole(coco_of(rows(*images), FOLDERS)))

    names = {each["id"]: each["name"] for each in found["categories"]}
    labels = {each["image_id"]: names[each["category_id"]] for each in found["annotations"]}
    assert [each["id"] for each in found["images"]] == [1, 2, 3]
    assert labels == {1: "grass", 3: "dandelion"}
    assert (found["images"][0]["width"], found["images"][0]["height"]) == (640, 480)
    assert found["images"][0]["file_name"].startswith("grass/IMG_1-")
    assert json.loads(await whole(coco_of(rows(), FOLDERS)))["images"] == []


async def test_an_archive_has_a_folder_for_each_label_and_names_what_is_gone() -> None:
    images = [row(1), row(2, label="dandelion"), row(3, label=None, flagged="unlabelled"), row(4)]
    found = await archive(archive_of(rows(*images), await store_of(*images[:3]), FOLDERS))

    assert found.namelist() == [
        f"grass/IMG_1-{UUID(int=1)}.jpg",
        f"dandelion/IMG_1-{UUID(int=2)}.jpg",
        f"_unlabelled/IMG_1-{UUID(int=3)}.jpg",
        MISSING,
    ]
    assert found.read(found.namelist()[0]) == f"bytes of {UUID(int=1)}".encode()
    assert found.read(MISSING).decode() == f"{UUID(int=4)}\n"


async def test_an_imagefolder_has_the_metadata_of_each_split() -> None:
    images = [row(1), row(2, side="test", label="Löwenzahn"), row(3, side="quarantined"), row(4)]
    found = await archive(imagefolder_of(rows(*images), await store_of(*images[:3])))

    for folder, number, label in (("train", 1, "grass"), ("test", 2, "Löwenzahn"), ("quarantined", 3, "grass")):
        [line] = [json.loads(each) for each in found.read(f"{folder}/metadata.jsonl").decode().splitlines()]
        assert (line["label"], line["image_id"]) == (label, str(UUID(int=number)))
        assert found.read(f"{folder}/{line['file_name']}") == f"bytes of {UUID(int=number)}".encode()


async def test_an_archive_is_given_away_while_it_is_written() -> None:
    images = [row(number) for number in range(20)]
    store = await store_of(*images)
    read: list[int] = []

    async def counted() -> AsyncIterator[Any]:
        for number, image in enumerate(images):
            read.append(number)
            yield image

    content = archive_of(counted(), store, FOLDERS)
    first = await anext(content)
    assert b"bytes of" in first
    assert len(read) < 10
    assert len(await whole(content)) > 1000


LABELS = ["grass", "Grass", "a/b", "a_b", "../up", "..", "CON", "nul.txt", "_unlabelled", "-x", "x. ", "ü" * 120, "<b>"]


def test_folders_of_labels_never_lead_out_and_never_meet() -> None:
    folders = folder_names(LABELS)
    assert (folders["Grass"], folders["a_b"], folders["<b>"][:4]) == ("Grass", "a_b", "_b_-")
    assert len({folder.casefold() for folder in folders.values()}) == len(LABELS) + 1
    for folder in folders.values():
        assert _is_safe(folder), folder


@given(names=st.lists(st.one_of(st.none(), st.text(max_size=300)), min_size=2, max_size=5), kind=st.text(max_size=9))
def test_names_of_files_never_lead_out_and_never_meet(names: Sequence[str | None], kind: str) -> None:
    found = [file_name(name, UUID(int=number), kind) for number, name in enumerate(names)]
    assert len({each.casefold() for each in found}) == len(found)
    for each in found:
        assert _is_safe(each.rstrip(". ")), each


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG 1.JPG", "IMG 1-"),
        ("../../etc/passwd.jpg", "_.._etc_passwd-"),
        (None, ""),
        ("con.jpg", "con-"),
        ("...", ""),
    ],
)
def test_a_file_keeps_the_stem_of_its_name(name: str | None, expected: str) -> None:
    assert file_name(name, UUID(int=7), "jpeg") == f"{expected}{UUID(int=7)}.jpg"


def _is_safe(name: str) -> bool:
    no_path = not any(letter in name for letter in '/\\:*?"<>|') and name.strip(".") != ""
    return no_path and len(name.encode()) <= 255
