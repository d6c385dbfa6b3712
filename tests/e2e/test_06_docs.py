"""The pages of both APIs in a real browser: a stranger logs in, tries the examples out, and each of them runs."""

from pathlib import Path

from shared.http.docs import PAGE_POLICY
from shared.imaging.drawing import draw_dandelion

from .browser_story import with_browser
from .demo_run import Told
from .docs_page import docs_page

pytestmark = with_browser


def test_a_stranger_logs_in_and_uploads_the_example_picture(told: Told, tmp_path: Path) -> None:
    picture = tmp_path / "dandelion.png"
    picture.write_bytes(draw_dandelion())
    with docs_page(tmp_path / "labeler.png") as page:
        assert page.open(told.running.labeler) == PAGE_POLICY
        page.authorise(username="labeler", password=told.running.logins["labeler"].password)
        uploaded = page.execute("upload_image", picture)
        answers = {name: page.execute(name) for name in ("get_labels", "get_image", "get_rendition", "get_history")}

    assert uploaded.status in (200, 201), uploaded.text
    assert uploaded.trace_id
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert all(answer.trace_id for answer in answers.values())


def test_a_stranger_asks_the_predictor_about_the_example_picture(told: Told, tmp_path: Path) -> None:
    picture = tmp_path / "dandelion.png"
    picture.write_bytes(draw_dandelion())
    with docs_page(tmp_path / "predictor.png") as page:
        assert page.open(told.running.predictor) == PAGE_POLICY
        answered, named = page.execute("predict", picture), page.execute("model")

    assert (answered.status, named.status) == (200, 200)
    assert answered.trace_id
    assert named.trace_id
