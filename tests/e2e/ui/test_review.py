"""Review in a real browser: every key has its effect at once, and none is lost."""

import sys

from playwright.sync_api import Page, expect

from services.labeler.ui.sessions import cookie
from shared.clients.answers import Session
from tests.unit.labeler.ui.fake_apis import TOKEN, FakeApis, session

from .stage import Stage, with_browser
from .surface import ENOUGH, SPEED, WAIT_MS, Surface, photograph, review, set_labels

pytestmark = with_browser


def test_a_queue_is_worked_through_with_the_keyboard_alone(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 6)
    for key, done, left in (
        ("1", 1, 5),
        ("2", 2, 4),
        ("u", 1, 5),
        ("1", 2, 4),
        ("s", 2, 4),
        ("n", 3, 3),
        ("Enter", 4, 2),
    ):
        surface.press(key)
        surface.counts(done, left)
    surface.press("x")
    surface.last("unusable", "dandelion", "none of these", "for later", "dandelion")
    expect(page.get_by_text("Only images you left for later")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Look again").click()
    surface.shows(images[2])
    surface.press("2")

    surface.counts(6, 0)
    surface.last("live in fast-1")
    assert set_labels(images) == [["dandelion"], ["grass", None, "dandelion"], ["grass"], [None], ["dandelion"], [None]]
    said = [sent["no_label"] for sent in apis.published if sent["label"] is None]
    assert said == ["withdrawn", "none_of_these", "unusable"]


def test_six_fast_keys_label_six_images(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 11)
    for key in "121221":
        surface.press(key)
        page.wait_for_timeout(60)

    surface.counts(6, 5)
    surface.shows(images[6])
    surface.last(*["live in fast-1"] * 5)
    names = {"1": "dandelion", "2": "grass"}
    assert set_labels(images) == [[names[key]] for key in "121221"] + [[]] * 5


def test_the_next_image_is_there_with_the_key(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 20)
    page.evaluate(SPEED)
    page.evaluate(ENOUGH, ["frames", 60])
    for at in range(1, 11):
        surface.press("1")
        page.evaluate(ENOUGH, ["times", at])
    surface.shows(images[10])
    times, frames = sorted(page.evaluate("window.times")), sorted(page.evaluate("window.frames"))
    said = f"median {times[4]:.0f} ms, worst of ten {times[-1]:.0f} ms; two frames at rest: {2 * frames[30]:.0f} ms"
    sys.stdout.write(f"\nReview: key to the next image on the screen: {said}\n")
    assert len(times) == 10


def test_a_slow_labeler_loses_and_greys_nothing(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 8)
    apis.seconds = 3.0
    surface.press("1", "2", "1")
    surface.shows(images[3])
    surface.counts(3, 5)
    dimmed = (
        "[...document.querySelectorAll('[data-stale=true]')].filter((one) => getComputedStyle(one).opacity < 1).length"
    )
    assert page.evaluate(dimmed) == 0
    apis.seconds = 0.0
    surface.last(*["live in fast-1"] * 3)
    assert set_labels(images)[:4] == [["dandelion"], ["grass"], ["dandelion"], []]


def test_buttons_stay_where_they_are_and_a_held_key_counts_once(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 4)
    before = surface.boxes()
    page.keyboard.down("2")
    for _ in range(10):
        page.keyboard.down("2")
    page.keyboard.up("2")
    surface.last("live in fast-1")
    surface.press("Control+1")
    page.locator("#review .classes button").nth(0).dblclick()
    surface.counts(3, 1)
    assert surface.boxes() == before
    surface.last("live in fast-1", "live in fast-1")
    assert set_labels(images) == [["grass"], ["dandelion"], ["dandelion"], []]


def test_ten_moves_are_undone_and_made_again(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 11)
    surface.press(*"2222222222")
    surface.counts(10, 1)
    surface.press(*"uuuuuuuuuu")
    surface.counts(0, 11)
    surface.shows(images[0])
    surface.last(*["live in fast-1"] * 5)
    assert [(image.label, image.decided) for image in images] == [("dandelion", 0)] * 11

    surface.press("r", "Shift+U", *"rrrrrrrr")
    surface.counts(10, 1)
    surface.last(*["live in fast-1"] * 5)
    assert set_labels(images) == [["grass", None, "grass"]] * 10 + [[]]


def test_a_reload_loses_nothing_and_sends_nothing_twice(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 6)
    apis.seconds = 0.4
    surface.press("1", "2", "1")
    page.reload()
    surface.counts(3, 3)
    surface.shows(images[3])
    surface.last(*["live in fast-1"] * 3)
    apis.log_down = True
    surface.press("2")
    surface.last("It is kept, and sent again.")
    page.reload()
    surface.shows(images[4])
    apis.log_down, apis.seconds = False, 0.0
    surface.last("live in fast-1", "live in fast-1")
    surface.press("u")
    surface.counts(3, 3)
    surface.last("live in fast-1")
    assert set_labels(images) == [["dandelion"], ["grass"], ["dandelion"], ["grass", None], [], []]


def test_a_login_that_ends_keeps_the_keys_that_were_pressed(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 4)
    apis.logged_out = True
    surface.press("1", "2")
    page.get_by_text("Your labels are kept, and are sent then.").wait_for()
    page.get_by_role("textbox", name="Name").fill("anna")
    page.get_by_role("textbox", name="Password").fill("right")
    page.keyboard.press("Enter")
    surface.counts(2, 2)
    surface.last("live in fast-1", "live in fast-1")
    assert set_labels(images) == [["dandelion"], ["grass"], [], []]


def test_a_label_that_came_too_late_is_asked_about_again(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 4)
    images[0].label, images[0].revision = "moss", 1
    surface.press("2")
    surface.shows(images[1])
    surface.last("berta was first")
    surface.press("1")
    surface.shows(images[0])
    expect(page.get_by_text("Do you agree? Press S to keep that label.")).to_be_visible()
    surface.press("2")
    surface.last("live in fast-1")
    assert set_labels(images) == [["grass"], ["dandelion"], [], []]
    assert images[0].revision == 2


def test_a_picture_that_is_not_there_takes_no_label(page: Page, apis: FakeApis) -> None:
    first, second = apis.add(picture=photograph(0)), apis.add(picture=b"")
    page.get_by_role("link", name="Review").click()
    surface = Surface(page)
    surface.shows(first)
    surface.press("1")
    expect(page.get_by_text("The image cannot be shown right now.")).to_be_visible(timeout=WAIT_MS)
    surface.press("2")
    expect(page.get_by_text("Not counted: the picture is not there.")).to_be_visible()
    surface.press("u", "r")
    surface.counts(1, 1)
    second.picture = photograph(1)
    surface.press("t")
    surface.shows(second)
    surface.press("2")
    surface.last("live in fast-1")
    assert set_labels([first, second]) == [["dandelion", None, "dandelion"], ["grass"]]


def test_a_note_zoom_and_the_image_before(page: Page, apis: FakeApis) -> None:
    surface, images = review(page, apis, 3)
    fits = page.locator("#review .stage img").bounding_box()
    surface.press(" ")
    closer = page.locator("#review .stage img").bounding_box()
    assert fits is not None
    assert closer is not None
    assert closer["width"] > fits["width"]
    surface.press("m")
    page.keyboard.type("12 leaves")
    page.keyboard.press("Enter")
    surface.press("2")
    surface.press("b")
    surface.shows(images[0])
    surface.press("1")
    surface.shows(images[1])
    surface.last("live in fast-1", "live in fast-1")
    assert [sent["reason"] for sent in apis.published] == ["12 leaves", ""]
    assert set_labels(images) == [["grass", "dandelion"], [], []]


def test_forty_classes_fit_on_a_desk_and_on_a_phone(page: Page, stage: Stage, apis: FakeApis) -> None:
    apis.labels = ("dandelion", "grass", *(f"plant number {number}" for number in range(38)))
    answer = {label: (at + 1) / 820 for at, label in enumerate(apis.labels)}
    with page.context.browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True) as phone:  # type: ignore[union-attr]
        login: Session = session(token=f"{TOKEN} phone")
        phone.add_cookies([{"name": cookie.COOKIE, "value": cookie.encode(login), "url": stage.address}])
        handheld = phone.new_page()
        page.set_viewport_size({"width": 1400, "height": 900})
        page.reload()  # a tab asks for the labels once
        surface, images = review(page, apis, 5, answer=answer)
        surface.press("/")
        page.keyboard.type("number 7")
        page.keyboard.press("Enter")
        surface.shows(images[1])
        surface.press("1")
        surface.last("live in fast-1", "live in fast-1")
        assert set_labels(images)[:2] == [["plant number 7"], ["plant number 37"]]
        above_the_fold(page, 900, ["plant number 37", "plant number 29", "Find", "Later"])

        handheld.goto(f"{stage.address}/review")
        Surface(handheld).shows(images[2])
        above_the_fold(handheld, 844, ["plant number 37", "plant number 36", "Find a class", "More"], least=44)
        handheld.locator("#review .thumb button").nth(0).click()
        Surface(handheld).shows(images[3])
        Surface(handheld).last("live in fast-1")
        assert images[2].label == "plant number 37"


def above_the_fold(page: Page, height: int, names: list[str], least: float = 0) -> None:
    """Check that the picture and the buttons with these names are seen without scrolling, and high enough."""
    boxes = [page.locator("#review .stage").bounding_box()]
    boxes += [page.locator("#review button:visible", has_text=name).last.bounding_box() for name in names]
    for box in boxes:
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
        assert box["height"] >= least
