"""Links and pictures of the pages: they exist; the pictures are small, and a text says what each shows."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from shared.contract.topics import EVENT_TOPICS
from tests.documents.pages import ROOT, all_pages, read_page

IMAGES = ROOT / "docs" / "images"
LARGEST_BYTES = {".gif": 1_500_000, ".png": 300_000, ".svg": 20_000}
SHORTEST_ALT = 15
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
WORKFLOW = re.compile(r"\.\./\.\./actions/workflows/([\w.]+)(/badge\.svg)?")
"""Pages of the place where the repository is published, as seen from its front page."""
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def prose_of(page: str) -> str:
    return FENCED.sub("", read_page(page))


def pictures() -> list[tuple[str, str, str]]:
    """Return page, alternative text and address of each picture."""
    return [(page, alt, to) for page in all_pages() for alt, to in PICTURE.findall(prose_of(page))]


def local(page: str, address: str) -> Path | None:
    """Return the file that an address in a page leads to; None if it leads out of the project."""
    path = address.partition("#")[0]
    return None if "://" in path or path.startswith("mailto:") else (ROOT / page).parent / path


def anchors(file: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", file.read_text()), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", all_pages())
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    missing = []
    for address in LINK.findall(prose_of(page)):
        if workflow := WORKFLOW.fullmatch(address):
            assert (ROOT / ".github" / "workflows" / workflow[1]).exists(), address
            continue
        file, anchor = local(page, address), address.partition("#")[2]
        if file is not None and file == (ROOT / page).parent:
            file = ROOT / page  # a link within the page
        if file is not None and (not file.exists() or (anchor and anchor not in anchors(file))):
            missing.append(address)
    assert missing == []


def test_every_picture_exists_and_has_a_text_that_says_what_it_shows() -> None:
    found = pictures()
    assert found
    for page, alt, address in found:
        assert len(alt) >= SHORTEST_ALT, f"{page}: {address}"
        if workflow := WORKFLOW.fullmatch(address):
            assert (ROOT / ".github" / "workflows" / workflow[1]).exists(), address
            continue
        file = local(page, address)
        assert file is not None, f"{page}: {address} is loaded from elsewhere"
        assert file.is_file(), f"{page}: {address}"


def test_every_file_of_pictures_is_shown_or_used() -> None:
    named = {Path(address).name for _, _, address in pictures()}
    used = {"tiles.png"}  # what the tutorial uploads
    assert {file.name for file in IMAGES.iterdir()} == named - {"badge.svg"} | used


@pytest.mark.parametrize("file", sorted(IMAGES.iterdir()), ids=lambda file: file.name)
def test_a_picture_is_small(file: Path) -> None:
    assert file.stat().st_size <= LARGEST_BYTES[file.suffix]


def test_the_animation_moves_and_never_ends() -> None:
    with Image.open(IMAGES / "correction.gif") as animation:
        assert getattr(animation, "n_frames", 1) > 3
        assert animation.info["loop"] == 0


def test_the_drawing_of_the_loop_names_topics_only() -> None:
    drawing = ElementTree.parse(IMAGES / "loop.svg").getroot()
    named = {each.text for each in drawing.iter("{http://www.w3.org/2000/svg}text") if each.get("class") == "topic"}
    assert named <= {topic.name for topic in EVENT_TOPICS}
    assert {"image.stored", "label.corrected", "model.trained", "model.promoted"} <= named


def test_the_drawing_of_the_loop_has_its_own_ground_in_light_and_in_dark() -> None:
    style = (IMAGES / "loop.svg").read_text()
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for part in (light, dark):
        assert re.search(r"\.panel \{ fill: #[0-9a-f]{6}", part)
        assert re.search(r"\btext \{[^}]*fill: #[0-9a-f]{6}", part)
