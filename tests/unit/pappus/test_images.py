"""The images of a folder or a URL template: their rows, and their bytes."""

from pathlib import Path

import httpx2
import pytest

from pappus.demo.image_server import serve_files
from pappus.demo.images import PUBLIC_TEMPLATE, ImageSource, choose
from pappus.errors import Refused
from pappus.plants import PlantRow
from pappus.stack.ports import free_ports

LABELS = ("dandelion", "grass")
BASE = "http://127.0.0.1:28300"


def folder(path: Path, name: str = "1.jpg", content: bytes = b"bytes") -> Path:
    for label in LABELS:
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / name).write_bytes(content + label.encode())
    return path


async def urls(path: Path) -> set[str]:
    return {row.url_source for row in (await choose(str(path), LABELS, BASE, path)).rows}


async def test_the_same_folder_gives_the_same_rows(tmp_path: Path) -> None:
    images = folder(tmp_path)
    assert await urls(images) == await urls(images)


async def test_the_folder_of_a_label_is_found_in_every_form_of_unicode(tmp_path: Path) -> None:
    labels = ("grass", "L\u00f6wenzahn")
    for name in ("grass", "Lo\u0308wenzahn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(name.encode())
    source = await choose(str(tmp_path), labels, BASE, tmp_path)
    assert [row.label for row in source.rows] == list(labels)
    assert await source.read(source.rows[1]) == "Lo\u0308wenzahn".encode()


async def test_another_content_under_the_same_name_is_a_new_row(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one"), folder(tmp_path / "two", content=b"others")
    assert await urls(one) & await urls(two) == set()


@pytest.mark.parametrize("name", ["a#b.jpg", "100%25.jpg", "a b?c.jpg", "Löwenzahn.JPG"])
async def test_every_file_name_is_served_and_read(tmp_path: Path, name: str) -> None:
    (port,) = free_ports(["images"]).values()
    base = f"http://127.0.0.1:{port}"
    source = await choose(str(folder(tmp_path, name)), LABELS, base, tmp_path)
    with serve_files(source.files, port):
        async with httpx2.AsyncClient() as http:
            served = [(await http.get(row.url_source)).content for row in source.rows]
    assert served == [await source.read(row) for row in source.rows] == [b"bytesdandelion", b"bytesgrass"]


async def test_nothing_is_served_but_the_images_of_the_seed(tmp_path: Path) -> None:
    (port,) = free_ports(["images"]).values()
    folder(tmp_path)
    for name in (".key.jpg", "notes.txt"):
        (tmp_path / "grass" / name).write_bytes(b"secret")
    base = f"http://127.0.0.1:{port}/word"
    source = await choose(str(tmp_path), LABELS, base, tmp_path)
    with serve_files(source.files, port):
        async with httpx2.AsyncClient() as http:
            paths = (
                "",
                "/",
                "/grass/",
                "/grass/1.jpg",
                "/word/grass/1.jpg",
                "/word/grass/.key.jpg",
                "/word/grass/notes.txt",
            )
            answers = [await http.get(f"http://127.0.0.1:{port}{path}") for path in paths]
            images = [(await http.get(url)).status_code for url in source.files]
    assert {answer.status_code for answer in answers} == {404}
    assert images == [200] * len(LABELS)


async def test_a_folder_named_like_a_file_is_no_image(tmp_path: Path) -> None:
    (folder(tmp_path) / "grass" / "old.jpg").mkdir()
    assert len(await urls(tmp_path)) == len(LABELS)


@pytest.mark.parametrize("template", ["http://h/{number}.jpg", "http://h/{label}.jpg", "http://h/one.jpg"])
async def test_a_template_that_gives_an_address_twice_is_refused(template: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"must contain \{label\} and \{number\}"):
        await choose(template, LABELS, BASE, tmp_path)


@pytest.mark.parametrize(
    "template", ["http://h/{label.x}/{number}", "http://h/{number[0]}", "http://h/{name}", "a://{"]
)
async def test_what_is_no_template_is_refused(template: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is not a URL template"):
        await choose(template, LABELS, BASE, tmp_path)


async def test_a_template_with_both_is_taken(tmp_path: Path) -> None:
    rows = (await choose(PUBLIC_TEMPLATE, LABELS, BASE, tmp_path)).rows
    assert {row.label for row in rows} == set(LABELS)


async def test_an_address_that_gives_nothing_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(["images"]).values()
    gone = PlantRow(f"http://127.0.0.1:{port}/gone.jpg", "grass")
    source = ImageSource("", (gone,), {})
    with (
        serve_files({BASE: tmp_path / "none"}, port),
        pytest.raises(Refused, match=rf"Cannot read {gone.url_source}: .*404"),
    ):
        await source.read(gone)
    with pytest.raises(Refused, match=f"Cannot read {gone.url_source}: "):
        await source.read(gone)


async def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    source = await choose(str(folder(tmp_path)), LABELS, BASE, tmp_path)
    (tmp_path / "dandelion" / "1.jpg").unlink()
    with pytest.raises(Refused, match=r"Cannot read .*dandelion/1.jpg"):
        await source.read(source.rows[0])
