"""The pages in a real browser: what only a keyboard can show. The APIs are fakes; the pages are a process."""

from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image as PillowImage
from playwright.sync_api import Page, expect

from services.labeler.ui.sessions import cookie
from tests.unit.labeler.ui.fake_apis import TOKEN, FakeApis, session
from tests.unit.labeler.ui.fake_models import FakeModels, some_models

from .stage import FLOWER, Stage, with_browser

AS_STORED = {  # how a camera stores an upright picture that it marks with this EXIF orientation
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_90,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_270,
}

pytestmark = [pytest.mark.timeout(180), with_browser]


def log_in(page: Page, address: str) -> None:
    """Log in as Anna, by hand."""
    page.goto(address)
    page.get_by_role("textbox", name="Name").fill("anna")
    page.get_by_role("textbox", name="Password").fill("right")
    page.keyboard.press("Enter")
    page.get_by_text("Choose images").wait_for()


def test_from_a_login_to_a_live_correction_with_one_key(stranger: Page, stage: Stage, apis: FakeApis) -> None:
    page = stranger
    log_in(page, stage.address)
    page.locator("input[type=file]").set_input_files(FLOWER)
    page.get_by_role("heading", name="The model says dandelion").wait_for()
    page.get_by_role("button", name="grass").wait_for()
    apis.share = 0.02
    page.keyboard.press("2")

    expect(page.get_by_text("is saved; live in fast-1 after 0.00 s.")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("The model said dandelion (80%); now it says grass (98%).")).to_be_visible(timeout=30_000)
    assert [correction["label"] for correction in apis.published] == ["grass"]


def test_a_reload_keeps_an_unsent_upload(page: Page, apis: FakeApis) -> None:
    apis.log_down = True
    page.locator("input[type=file]").set_input_files(FLOWER)
    page.get_by_text("The image could not be saved yet.").wait_for()
    page.reload()
    page.get_by_text("The image could not be saved yet.").wait_for()
    apis.log_down = False
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="grass").wait_for()

    assert len(apis.keys) == 1


def test_a_second_tab_is_logged_in_and_a_log_out_ends_it(stranger: Page, stage: Stage, apis: FakeApis) -> None:
    log_in(stranger, stage.address)
    tab = stranger.context.new_page()
    tab.goto(stage.address)
    tab.get_by_text("Choose images").wait_for()
    [login] = [each for each in stranger.context.cookies() if each["name"] == cookie.COOKIE]
    assert (login["httpOnly"], login["sameSite"]) == (True, "Strict")

    tab.get_by_role("button", name="Log out").click()
    tab.get_by_role("textbox", name="Password").wait_for()
    tab.reload()
    tab.get_by_role("textbox", name="Password").wait_for()
    assert not [each for each in stranger.context.cookies() if each["name"] == cookie.COOKIE]


def test_phone_photos_of_all_orientations_stand_upright(page: Page, tmp_path: Path) -> None:
    upright = PillowImage.new("RGB", (4000, 3000), "green")
    upright.paste((255, 255, 255), (0, 0, 4000, 1500))  # the sky
    for orientation in range(1, 9):
        photo = tmp_path / f"photo-{orientation}.jpg"
        exif = PillowImage.Exif()
        exif[0x0112] = orientation
        stored = upright.transpose(AS_STORED[orientation]) if orientation > 1 else upright
        stored.save(photo, exif=exif)

        page.locator("input[type=file]").set_input_files(photo)
        picture = page.get_by_role("img", name=photo.name)
        picture.wait_for()

        assert picture.evaluate("one => one.naturalWidth > one.naturalHeight && one.naturalWidth <= 1600"), orientation
        shown = PillowImage.open(BytesIO(picture.screenshot())).convert("RGB")
        top, bottom = (shown.getpixel((shown.width // 2, round(shown.height * part))) for part in (0.2, 0.8))
        assert isinstance(top, tuple)
        assert isinstance(bottom, tuple)
        assert top[0] > 200 > 100 > bottom[0], orientation


def test_an_operator_rolls_back_by_keyboard(page: Page, stage: Stage, apis: FakeApis) -> None:
    olga = cookie.encode(session("olga", token=f"{TOKEN} {uuid4()}"))
    page.context.add_cookies([{"name": cookie.COOKIE, "value": olga, "url": stage.address}])
    apis.models = FakeModels(some_models())
    page.goto(f"{stage.address}/models")
    page.get_by_role("heading", name="v3 is in service").wait_for()
    page.locator("[data-testid='stVegaLiteChart'] :is(svg, canvas)").first.wait_for()

    page.goto(f"{stage.address}/models?version=full-1")
    page.get_by_role("button", name="Roll back to it").press("Enter")
    page.get_by_role("textbox", name="Why?").fill("It rains.")
    page.keyboard.press("Enter")
    page.get_by_text("olga did rollback: It rains.").wait_for()
    assert [each["action"] for each in apis.models.asked] == ["rollback"]


def test_the_page_of_an_image_tells_its_story(page: Page, stage: Stage, apis: FakeApis) -> None:
    image = apis.add(label="dandelion")
    page.goto(f"{stage.address}/image?id={image.image_id}")
    page.get_by_text("says dandelion (80%)").first.wait_for()
    page.locator("[data-pappus-turn]").wait_for(state="attached")
    page.keyboard.press("2")

    page.get_by_text("anna said grass instead of dandelion").wait_for()
    page.get_by_role("link", name="See the model").wait_for()
    assert [entry["label_to"] for entry in image.history] == ["grass"]
