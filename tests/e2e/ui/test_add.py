"""Many files on the page Add, in a real browser: sent, answered, labelled on their cards, and never lost."""

import struct
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.unit.labeler.ui.fake_apis import FakeApis
from tests.unit.labeler.ui.fake_images import PICTURE

from .stage import with_browser

pytestmark = [pytest.mark.timeout(180), with_browser]
WAIT_MS = 30_000


def picture(name: str, data: bytes = PICTURE) -> FilePayload:
    return {"name": name, "mimeType": "image/png", "buffer": data}


def choose(page: Page, *files: FilePayload) -> None:
    """Choose files with the button of the uploader."""
    page.get_by_role("button", name="Choose a folder").wait_for()  # the modules are there
    with page.expect_file_chooser() as chooser:
        page.locator("[data-testid=stFileUploader] button").first.click()
    chooser.value.set_files(list(files))


def summary(page: Page, text: str) -> None:
    expect(page.locator(".summary")).to_have_text(text, timeout=WAIT_MS)


def names(page: Page) -> list[str]:
    return page.locator(".card .name").all_inner_texts()


def test_many_files_are_answered_sorted_and_labelled_by_key(page: Page, apis: FakeApis) -> None:
    known = apis.add(label="grass", share=0.3)
    known.history.append(apis._entry(known, None, "event-1"))
    apis.known["known.png"], apis.refused["cut.png"] = known.image_id, "The picture is cut off."
    page.get_by_role("combobox", name="These are all").wait_for()
    apis.share = 0.99
    choose(page, picture("cut.png"), picture("sure.png"), picture("known.png"))
    summary(page, "2 of 2 answered · 1 known · 1 refused")
    apis.share = 0.55
    choose(page, picture("doubtful.png"))
    summary(page, "3 of 3 answered · 1 known · 1 refused")

    assert names(page) == ["doubtful.png", "sure.png", "known.png", "cut.png"]
    expect(page.get_by_text("Known: grass, by anna,")).to_be_visible()
    expect(page.get_by_text("The picture is cut off.")).to_have_count(1)
    page.locator(".card").first.focus()
    page.keyboard.press("2")
    expect(page.get_by_text("grass: live in fast-1 after 0.00 s")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Agree with all above 95 % (1)").click()
    expect(page.get_by_text("dandelion: live in fast-1 after 0.00 s")).to_be_visible(timeout=WAIT_MS)
    assert [(sent["label"], sent["shown_label"]) for sent in apis.published] == [
        ("grass", "dandelion"),
        ("dandelion", "dandelion"),
    ]

    page.locator(".card").first.focus()
    page.keyboard.press("u")
    expect(page.get_by_text("taken back: live in fast-1")).to_be_visible(timeout=WAIT_MS)
    assert apis.published[-1]["no_label"] == "withdrawn"


def test_files_are_added_over_plain_http_from_another_machine(page: Page, apis: FakeApis) -> None:
    page.add_init_script("delete Crypto.prototype.randomUUID")  # as a browser does there
    page.reload()
    page.get_by_role("button", name="Choose a folder").wait_for()
    choose(page, picture("first.png"), picture("second.png"))

    summary(page, "2 of 2 answered")
    assert len(set(apis.keys)) == 2


def test_what_is_not_stored_is_named_and_outlives_a_reload(page: Page, apis: FakeApis) -> None:
    choose(page, picture("first.png"), picture("second.png"))
    summary(page, "2 of 2 answered")
    apis.log_down = True
    choose(page, picture("third.png"), picture("fourth.png"))
    notice = page.get_by_text("third.png, fourth.png are not stored yet. The log is unavailable. It is tried again")
    notice.wait_for(timeout=WAIT_MS)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()

    page.get_by_text("third.png, fourth.png are not stored: browsers do not keep files").wait_for(timeout=WAIT_MS)
    summary(page, "2 of 4 answered")
    choose(page, picture("third.png"), picture("fourth.png"))
    notice.wait_for(timeout=WAIT_MS)
    apis.log_down = False
    page.get_by_role("button", name="Try again").click()
    summary(page, "4 of 4 answered")
    assert sorted(name for name, _ in apis.uploads) == ["first.png", "fourth.png", "second.png", "third.png"]
    assert len(set(apis.keys)) == 4


def test_the_end_of_a_session_keeps_the_files_until_the_login(page: Page, apis: FakeApis) -> None:
    page.get_by_role("button", name="Choose a folder").wait_for()
    apis.logged_out = True
    choose(page, picture("first.png"), picture("second.png"))
    page.get_by_role("textbox", name="Name").fill("anna")
    page.get_by_role("textbox", name="Password").fill("right")
    page.keyboard.press("Enter")

    summary(page, "2 of 2 answered")
    assert sorted(name for name, _ in apis.uploads) == ["first.png", "second.png"]


def test_addresses_are_sent_with_the_label_of_them_all(page: Page, apis: FakeApis) -> None:
    page.get_by_role("combobox", name="These are all").click()
    page.get_by_role("option", name="grass").click()
    page.get_by_text("What you add now is labelled grass.").wait_for(timeout=WAIT_MS)
    page.get_by_role("button", name="Add web addresses").click()
    page.get_by_role("textbox", name="Web addresses").fill("https://a.example/one.jpg\n\nhttps://a.example/two.jpg ")
    page.get_by_role("button", name="Add these addresses").click()

    summary(page, "2 of 2 answered")
    assert sorted(apis.uploads) == [("https://a.example/one.jpg", "grass"), ("https://a.example/two.jpg", "grass")]


def archive(*members: tuple[str | ZipInfo, bytes], how: int = ZIP_DEFLATED) -> bytes:
    held = BytesIO()
    with ZipFile(held, "w", how) as made:
        for name, data in members:
            made.writestr(name, data)
    return held.getvalue()


def link(name: str) -> ZipInfo:
    found = ZipInfo(name)
    found.create_system, found.external_attr = 3, 0o120777 << 16
    return found


def encrypted(data: bytes) -> bytes:
    """Return the archive with the mark of encryption in the flags of its directory."""
    at = data.index(b"PK\x01\x02") + 8
    return data[:at] + struct.pack("<H", 1) + data[at + 2 :]


def overlapping(data: bytes) -> bytes:
    """Return the archive with a directory whose second member lies on the first one."""
    at = data.rindex(b"PK\x01\x02") + 42
    return data[:at] + struct.pack("<I", 0) + data[at + 4 :]


def test_an_archive_is_opened_and_what_is_unsafe_is_refused(page: Page, apis: FakeApis) -> None:
    hostile = archive(
        ("flowers/one.png", PICTURE),
        ("flowers/notes.txt", b"no picture"),
        ("__MACOSX/._one.png", b"x"),
        ("../out.png", PICTURE),
        (link("link.png"), b"/etc/passwd"),
        ("inner.zip", archive(("two.png", PICTURE))),
        ("disguised.png", archive(("two.png", PICTURE))),
        ("bomb.png", bytes(5_000_000)),
        ("large.png", bytes(21_000_000)),
    )
    choose(page, picture("photos.zip", hostile))
    for why in (
        "Its name leads out of the archive.",
        "It is a link, not a file.",
        "It unpacks to more than 200 times its size",
        "A file may have at most 19 MB.",
    ):
        expect(page.get_by_text(why)).to_have_count(1, timeout=WAIT_MS)
    expect(page.get_by_text("An archive inside an archive is not opened.")).to_have_count(2, timeout=WAIT_MS)
    expect(page.get_by_text("1 file that is no picture was left out.")).to_be_visible()
    summary(page, "1 of 1 answered · 6 refused")
    assert apis.uploads == [("one.png", None)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (encrypted(archive(("one.png", PICTURE))), "It is encrypted."),
        (overlapping(archive(("one.png", PICTURE), ("two.png", PICTURE))), "Its members overlap"),
        (archive(("one.png", PICTURE))[:-30], "It is damaged, or no ZIP archive."),
        (archive(("one.png", PICTURE), how=ZIP_STORED).replace(PICTURE, bytes(len(PICTURE))), "It is damaged in the"),
        (archive(), "The archive is empty."),
    ],
    ids=["encrypted", "overlapping", "cut off", "damaged", "empty"],
)
def test_an_archive_that_cannot_be_used_says_why(page: Page, apis: FakeApis, data: bytes, why: str) -> None:
    choose(page, picture("photos.zip", data))
    expect(page.get_by_text(why)).to_be_visible(timeout=WAIT_MS)
    assert apis.uploads == []


def test_a_folder_takes_the_place_of_a_single_picture(page: Page, apis: FakeApis, tmp_path: Path) -> None:
    folder = tmp_path / "flowers"
    (folder / "deep").mkdir(parents=True)
    for name in ("one.png", "deep/two.png"):
        (folder / name).write_bytes(PICTURE)
    (folder / "notes.txt").write_text("no picture")
    choose(page, picture("single.png"))
    single = page.get_by_role("heading", name="The model says dandelion")
    single.wait_for()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(folder)

    summary(page, "2 of 2 answered")
    expect(single).to_have_count(0, timeout=WAIT_MS)
    assert sorted(name for name, _ in apis.uploads) == ["one.png", "single.png", "two.png"]
