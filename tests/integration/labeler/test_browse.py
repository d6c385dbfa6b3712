"""The list of stored images: filters, orders, pages and counts."""

import re
import zipfile
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from services.labeler.data.projection import replay_plan
from services.labeler.queries import exports
from shared.clients.browse import MAX_LISTED
from shared.contract.split import side
from shared.tables.database import Database
from shared.tables.replay import replay
from shared.testing import image_registered, image_scored, image_stored, image_withdrawn, label_corrected
from shared.testing.events import NOON, group_on

from .conftest import Labeler


async def stored(labeler: Labeler, says: str | None = None, share: float = 0.9, **facts: Any) -> UUID:
    """Store an image, with the model's answer if it `says` anything."""
    image = image_stored(**{"trust": "claimed", "label": "grass", **facts})
    events: list[Any] = [image]
    if says is not None:
        other = "grass" if says != "grass" else "dandelion"
        probabilities = {says: share, other: 1 - share}
        events.append(image_scored(image_id=image.image_id, label=says, probabilities=probabilities))
    await labeler.publish(*events)
    return image.image_id


async def listed(labeler: Labeler, query: str = "") -> list[UUID]:
    """Return the ids of the first page."""
    return [UUID(item["image_id"]) for item in (await labeler.get(f"/images?{query}"))["items"]]


@pytest.mark.parametrize("sort", ["newest", "doubtful", "contradicting"])
async def test_pages_follow_each_other_in_both_directions(labeler: Labeler, sort: str) -> None:
    for number in range(7):
        await stored(labeler, "dandelion", 0.5 + number % 3 / 10, occurred_at=NOON + timedelta(hours=number % 4))
    everything = await listed(labeler, f"sort={sort}")
    pages, page = [], await labeler.get(f"/images?sort={sort}&limit=3")
    while True:
        pages.append(page)
        if page["next"] is None:
            break
        page = await labeler.get(f"/images?sort={sort}&limit=3&cursor={page['next']}")

    assert [len(each["items"]) for each in pages] == [3, 3, 1]
    assert [each["start"] for each in pages] == [0, 3, 6]
    assert [UUID(item["image_id"]) for each in pages for item in each["items"]] == everything
    assert len(set(everything)) == 7
    back = await labeler.get(f"/images?sort={sort}&limit=3&cursor={pages[2]['previous']}")
    assert (back["items"], back["start"], back["next"]) == (pages[1]["items"], 3, pages[1]["next"])
    first = await labeler.get(f"/images?sort={sort}&limit=3&cursor={back['previous']}")
    assert (first["items"], first["start"], first["previous"]) == (pages[0]["items"], 0, None)


async def test_each_filter_keeps_what_it_names(labeler: Labeler) -> None:
    agreed = await stored(labeler, "grass", 0.95, group_id=group_on("test", 1))
    doubted = await stored(
        labeler, "dandelion", 0.6, group_id=group_on("train", 1), occurred_at=NOON + timedelta(days=2)
    )
    reviewed = await stored(labeler, trust="seed", registered_by="a data set", joins=("one", "other"))
    await labeler.publish(label_corrected(image_id=reviewed, corrected_by="berta", label_to="dandelion"))
    empty = await stored(labeler, label=None, source_url="https://example.org/a/Beet%20.JPG?size=1")
    unusable = await stored(labeler)
    await labeler.publish(label_corrected(image_id=unusable, label_to=None, no_label="unusable"))
    version = (await labeler.get(f"/images/{agreed}"))["prediction"]["model_version"]

    for query, expected in {
        "": {agreed, doubted, reviewed, empty, unusable},
        "label=grass": {agreed, doubted},
        "label=grass&label=dandelion": {agreed, doubted, reviewed},
        "trust=reviewed": {reviewed, unusable},
        "by=berta": {reviewed, unusable},
        "by=anna": {agreed, doubted},
        "since=2026-05-05": {doubted},
        "until=2026-05-05": {agreed, reviewed, empty, unusable},
        "split=quarantined": {reviewed},
        "min_confidence=0.9": {agreed},
        "max_confidence=0.9": {doubted},
        "disagrees=true": {doubted},
        "disagrees=false": {agreed},
        "predicted=dandelion": {doubted},
        f"version={version}": {agreed, doubted},
        "name=bEEt": {empty},
        "flagged=unlabelled": {empty},
        "flagged=unusable&flagged=unlabelled": {empty, unusable},
        "label=grass&disagrees=true&by=berta": set(),
    }.items():
        assert set(await listed(labeler, query)) == expected, query
    assert agreed in await listed(labeler, "split=test")
    assert doubted in await listed(labeler, "split=training")


async def test_a_part_of_a_name_is_found_with_any_characters(labeler: Labeler) -> None:
    names = ("IMG_12.jpg", "100%_a'b\\c.PNG", "Löwenzahn früh.jpg", "ab", "cab.abd", "🌼🌼 x:*.jpg")
    images = {}
    for name in names:
        registered = image_registered(file_name=name)
        await labeler.publish(registered)
        images[name] = await stored(labeler, image_id=registered.image_id)
    address = await stored(labeler, source_url="https://example.org/img/Beet%20.JPG?size=1#img_12")

    async def found(part: str) -> set[str | UUID]:
        known: dict[UUID, str | UUID] = {image: name for name, image in images.items()}
        return {known.get(each, each) for each in await listed(labeler, f"name={quote(part)}")}

    for part in (
        *names,
        "%_A",
        "'B\\",
        "\\",
        "'",
        "ÖWEN",
        "n früh",
        "b",
        "ab",
        "🌼",
        ":*",
        "_12.",
        "g",
        "%",
        "_",
        "beet%20",
    ):
        expected = {name for name in names if part.lower() in name.lower()}
        assert await found(part) == expected | ({address} if part.lower() in "beet%20.jpg" else set()), part
    assert await found("abc") == set()  # each two of its letters stand in a name


async def test_a_name_of_very_many_is_found_by_their_order(labeler: Labeler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.labeler.queries.listed_images.FEW_NAMED", 2)
    for number in range(4):
        registered = image_registered(file_name=f"IMG_{number}.jpg")
        await labeler.publish(registered)
        await stored(labeler, image_id=registered.image_id)
    assert [len(await listed(labeler, f"name=img_{more}")) for more in ("", "3", "4")] == [4, 1, 0]


async def test_orders_begin_with_what_needs_a_person_most(labeler: Labeler) -> None:
    sure = await stored(labeler, "grass", 0.99)
    unsure = await stored(labeler, "grass", 0.55)
    contradicted = await stored(labeler, "dandelion", 0.98)
    unanswered = await stored(labeler)

    assert await listed(labeler, "sort=doubtful") == [unsure, contradicted, sure, unanswered]
    assert await listed(labeler, "sort=contradicting") == [contradicted, unsure, sure, unanswered]


async def test_facets_count_what_another_choice_would_show(labeler: Labeler) -> None:
    for label in ("grass", "grass", "dandelion"):
        await stored(labeler, "grass", label=label)
    await stored(labeler, label=None, registered_by="berta")
    page = await labeler.get("/images?label=grass&facets=true")

    assert (page["total"], page["more"]) == (2, False)
    facets = {name: {each["value"]: each["count"] for each in counts} for name, counts in page["facets"].items()}
    assert facets["label"] == {"grass": 2, "dandelion": 1}
    assert facets["disagrees"] == {"false": 2}
    assert facets["by"] == {"anna": 2}
    assert facets["flagged"] == {}
    assert (await labeler.get("/images"))["facets"] is None
    assert (await labeler.get("/images"))["total"] == 4


async def test_withdrawn_and_refused_images_are_not_listed(labeler: Labeler) -> None:
    gone = await stored(labeler, "grass")
    await labeler.publish(image_withdrawn(image_id=gone), image_registered())
    await labeler.publish(image_scored(image_id=gone))
    assert await listed(labeler) == []


async def test_the_label_of_a_copy_is_listed_for_all_of_them(labeler: Labeler) -> None:
    first = await stored(labeler, pixels_sha256="a" * 64)
    second = await stored(labeler, pixels_sha256="a" * 64)
    await labeler.publish(label_corrected(image_id=second, label_to="dandelion", corrected_by="berta"))
    assert set(await listed(labeler, "label=dandelion&by=berta&trust=reviewed")) == {first, second}
    await labeler.publish(image_withdrawn(image_id=second))
    assert await listed(labeler, "label=grass") == [first]


async def test_what_cannot_be_asked_is_refused_with_a_sentence(labeler: Labeler) -> None:
    for _ in range(2):
        await stored(labeler)
    cursor = (await labeler.get("/images?limit=1"))["next"]
    async with labeler.client("anna") as client, labeler.client() as stranger:
        cursors = [
            await client.get("/images", params={"cursor": text, **more})
            for text, more in (
                ("rubbish", {}),
                ("ü", {}),
                ("", {}),
                (cursor[:-2], {}),
                (cursor[1:], {}),
                (cursor, {"sort": "doubtful"}),
                (cursor, {"label": "grass"}),
            )
        ]
        others = [
            await client.get(f"/images?{query}")
            for query in (
                "limit=0",
                f"limit={MAX_LISTED + 1}",
                "trust=none",
                "min_confidence=2",
                "label=%00",
                "since=yesterday",
                "sort=best",
                "sha256=abc",
            )
        ]
        unknown = await stranger.get("/images")
    assert [(each.status_code, each.json()["error"]) for each in cursors] == [(422, "invalid_cursor")] * 7
    assert "Ask without a cursor" in cursors[0].json()["detail"]
    assert [(each.status_code, each.json()["error"]) for each in others] == [(422, "invalid_request")] * 8
    assert unknown.status_code == 401


@pytest.mark.parametrize("kind", ["csv", "coco", "zip", "imagefolder"])
async def test_an_export_holds_what_the_same_filter_lists(
    labeler: Labeler, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BATCH", 2)
    grass = [image_stored(label="grass") for _ in range(3)]
    await labeler.publish(*grass, image_stored(label="dandelion"))
    for image in grass:
        await labeler.store.put(image.object_key, b"a picture")
    async with labeler.client("anna") as client, labeler.client() as stranger:
        answer = await client.get(f"/images/export?format={kind}&label=grass")
        assert (await stranger.get(f"/images/export?format={kind}")).status_code == 401
        assert (await client.get("/images/export?format=xml")).status_code == 422

    assert answer.status_code == 200
    assert f"pappus-{kind}." in answer.headers["content-disposition"]
    text = answer.content
    if answer.headers["content-type"] == "application/zip":
        with zipfile.ZipFile(BytesIO(text)) as archive:
            text = "\n".join(name for name in archive.namelist() if not name.endswith("metadata.jsonl")).encode()
    found = set(re.findall(rb"[0-9a-f]{8}-[0-9a-f-]{27}", text))
    assert found == {str(image.image_id).encode() for image in grass}


async def test_sides_are_those_of_the_contract(tables: Database) -> None:
    groups = [f"{number:016x}" for number in range(2000)] + ["", "ü", "0.2"]
    rows = await tables.fetch("SELECT name, side_of_group(name) AS side FROM unnest($1::text[]) AS name", groups)
    assert {row["name"]: row["side"].removesuffix("ing") for row in rows} == {name: side(name) for name in groups}


async def test_a_replay_lists_the_same(labeler: Labeler) -> None:
    for number in range(4):
        image = await stored(labeler, "grass", pixels_sha256=f"{number % 2:064x}")
        await labeler.publish(image_registered(image_id=image, file_name=f"{number}.jpg"))
    await labeler.publish(label_corrected(image_id=image, label_to="dandelion"), image_withdrawn(image_id=image))
    before = await labeler.get("/images")
    report = await replay(labeler.event_log, labeler.app.state.service.settings.database_dsn, replay_plan())
    assert (report.differing, "listed_images" in report.compared) == ((), True)
    assert {item["name"] for item in before["items"]} == {"0.jpg", "1.jpg", "2.jpg"}
    assert (await labeler.get("/images"))["items"] == before["items"]
