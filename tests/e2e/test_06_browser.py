"""The whole loop in a real browser."""

from pathlib import Path

from pappus.demo.drawing import draw_tiles

from .browser_story import turn_round, with_browser
from .demo_run import Told

pytestmark = with_browser


def test_one_key_turns_the_answer_round(told: Told, tmp_path: Path) -> None:
    picture, screenshot = tmp_path / "seen.png", tmp_path / "corrected.png"
    picture.write_bytes(draw_tiles(5))
    turn_round(told, picture, screenshot)
    assert screenshot.stat().st_size > 10_000
