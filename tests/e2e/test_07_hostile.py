"""What a row of `plants_data` may name, and what becomes of it. (The ingestor's own tests hold all the rest.)"""

import io
import json
from collections import Counter
from collections.abc import Mapping

from PIL import Image

from pappus.demo.drawing import draw_tiles
from pappus.plants import PlantRow

from .demo_run import Told
from .pictures import served


def large_jpeg() -> bytes:
    """Return a picture that is whole."""
    out = io.BytesIO()
    Image.effect_noise((300, 200), 60).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def outcomes_expected(told: Told, web: str, forbidden_port: int) -> Mapping[PlantRow, str]:
    """Return rows, and the reason for which each is rejected."""
    return {
        PlantRow(f"{web}/gone.jpg", "grass"): "not_found",
        PlantRow(f"{web}/page.jpg", "grass"): "not_an_image",
        PlantRow(f"{web}/truncated.jpg", "grass"): "truncated",
        PlantRow(f"{web}/empty.jpg", "grass"): "empty",
        PlantRow(f"{web}/fine.png", "dragon"): "unknown_label",
        PlantRow("file:///etc/passwd", "grass"): "address_forbidden",
        PlantRow(f"http://127.0.0.1:{forbidden_port}/fine.png", "grass"): "address_forbidden",
        PlantRow("http://169.254.169.254/latest/meta-data/", None): "address_forbidden",
    }


async def test_each_hostile_row_is_rejected_for_its_reason(told: Told) -> None:
    pages = {
        "page.jpg": b"<!doctype html><title>Not an image</title>",
        "truncated.jpg": large_jpeg()[:-300],
        "empty.jpg": b"",
        "fine.png": draw_tiles(6),
    }
    s3 = told.stack.status().component("s3").ports["s3"]
    expected = outcomes_expected(told, told.web, s3)
    with served(told.web, pages) as web:
        assert await told.running.plants.insert(list(expected)) == len(expected)
        rejected = await told.running.plants.wait_for_outcomes(list(expected), 60, lambda _: None)
    assert {url: why.split(":")[0] for url, why in rejected.items()} == {
        row.url_source: reason for row, reason in expected.items()
    }
    assert "/fine.png" not in web.requests

    events = [json.loads(record.value or b"") for record in await told.records(["image.rejected"])]
    final = [event["data"] for event in events if not event["data"]["retryable"]]  # a slow answer is asked for again
    assert Counter(data["reason"] for data in final) == Counter(expected.values())


async def test_the_same_bytes_under_another_address_are_a_duplicate(told: Told) -> None:
    base = told.web
    rows = [PlantRow(f"{base}/first.png", None), PlantRow(f"{base}/second.png", None)]
    with served(base, {"first.png": draw_tiles(7), "second.png": draw_tiles(7)}):
        await told.running.plants.insert(rows)
        rejected = await told.running.plants.wait_for_outcomes(rows, 60, lambda _: None)
    assert [why.split(":")[0] for why in rejected.values()] == ["duplicate"]
