"""The pieces of `make pictures` that need no browser: the frames, the GIF, the choice of a picture, the badges."""

import io

import pytest
from PIL import Image

from infra.documents.badges import badges, draw, python_versions
from infra.documents.pictures.animation import RIGHT, STRIP_PIXELS, WRONG, Shot, animate, compose, still
from infra.documents.pictures.subject import NoSubject, find_subject
from pappus.demo.drawing import DRAWN_LABELS


def shot(colour: str, milliseconds: int = 100, **answers: str) -> Shot:
    return Shot(Image.new("RGB", (800, 300), colour), "A caption", milliseconds, answers, truth="dandelion")


def colours(frame: Image.Image) -> set[str]:
    found = frame.getcolors(maxcolors=1_000_000) or []
    return {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in found}  # type: ignore[misc]


def test_a_frame_is_the_page_with_a_strip_below() -> None:
    frame = compose(shot("#ff0000"))
    assert frame.size == (800, 300 + STRIP_PIXELS)
    assert frame.getpixel((400, 150)) == (255, 0, 0)


def test_a_right_answer_is_green_and_a_wrong_one_red() -> None:
    assert {RIGHT, WRONG} & colours(compose(shot("#ffffff", one="grass"))) == {WRONG}
    assert {RIGHT, WRONG} & colours(compose(shot("#ffffff", one="dandelion"))) == {RIGHT}
    assert {RIGHT, WRONG} <= colours(compose(shot("#ffffff", one="dandelion", two="grass")))


def test_shots_that_look_alike_become_one_frame() -> None:
    data = animate([shot("#ff0000", 100), shot("#ff0000", 300), shot("#00ff00", 500)])
    with Image.open(io.BytesIO(data)) as animation:
        assert getattr(animation, "n_frames", 1) == 2
        assert animation.info == animation.info | {"duration": 400, "loop": 0}
        animation.seek(1)
        assert animation.info["duration"] == 500


def test_a_still_has_the_size_of_the_page() -> None:
    with Image.open(io.BytesIO(still(Image.new("RGB", (320, 200), "#123456")))) as picture:
        assert (picture.format, picture.size) == ("PNG", (320, 200))


def test_the_first_dandelion_that_the_model_gets_wrong_is_the_subject() -> None:
    answers = iter(["dandelion", "dandelion", "grass"])
    asked: list[bytes] = []

    def ask(data: bytes) -> str:
        asked.append(data)
        return next(answers)

    subject = find_subject(ask)
    assert (subject.data, subject.truth, subject.said) == (asked[2], "dandelion", "grass")
    with Image.open(io.BytesIO(subject.data)) as picture:
        assert picture.format == "JPEG"


def test_a_model_that_knows_all_pictures_gives_no_subject() -> None:
    with pytest.raises(NoSubject, match="knows all 3"):
        find_subject(lambda data: DRAWN_LABELS[0], tries=3)


def test_the_badges_say_what_pyproject_says() -> None:
    assert "Python: 3.11 | 3.12" in badges()["badge-python.svg"]
    assert "licence: Apache-2.0" in badges()["badge-licence.svg"]


def test_a_badge_is_as_wide_as_its_words_and_escapes_them() -> None:
    assert "a &amp; b: &lt;c&gt;" in draw("a & b", "<c>", "#000000")
    assert python_versions(">=3.9,<3.12") == ["3.9", "3.10", "3.11"]
    with pytest.raises(ValueError, match="write it as"):
        python_versions(">=3.11")
