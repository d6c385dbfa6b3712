"""What is fetched or built once."""

import asyncio
from pathlib import Path

import pytest

from pappus.stack.cache import Cache
from pappus.stack.errors import StepFailed


def folders(cache: Path) -> list[str]:
    return [entry.name for entry in cache.iterdir() if entry.is_dir()]


async def test_two_who_want_the_same_make_it_once(tmp_path: Path) -> None:
    made: list[Path] = []

    async def make(target: Path) -> None:
        made.append(target)
        await asyncio.sleep(0)
        (target / "jar").write_text("bytes")

    caches = [Cache(tmp_path / "cache") for _ in range(3)]
    found = await asyncio.gather(*(cache.folder("kafka", make) for cache in caches))
    assert len(made) == 1
    assert [(folder / "jar").read_text() for folder in found] == ["bytes"] * 3


async def test_what_failed_half_way_is_not_there(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    async def fail(target: Path) -> None:
        (target / "half").touch()
        raise StepFailed("no network")

    with pytest.raises(StepFailed):
        await cache.folder("kafka", fail)
    assert not cache.holds("kafka")
    assert folders(tmp_path) == []


async def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    async def never(_: Path) -> None:
        raise AssertionError

    (tmp_path / "kafka").mkdir()
    assert await Cache(tmp_path).folder("kafka", never) == tmp_path / "kafka"
