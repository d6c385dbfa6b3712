"""A costly picture holds up nothing but other costly pictures."""

import asyncio
import os
from pathlib import Path

import pytest

from shared.imaging.decoding import UndecodableImage
from shared.imaging.lanes import (
    COSTLY_AT_ONCE,
    COSTLY_SECONDS,
    LARGE_AT_ONCE,
    LARGE_SECONDS,
    DecodingGivenUp,
    DecodingLanes,
    estimated_seconds,
)
from shared.imaging.preprocessing import prepare_image
from shared.testing import eventually
from tests.integration.imaging.png_files import GREY, SIGNATURE, header, written
from tests.unit.shared.imaging import work


def announcing(width: int, height: int) -> bytes:
    """A PNG file that promises so many pixels and has none."""
    chunks = (header(GREY, 8, width=width, height=height), (b"IDAT", b""), (b"IEND", b""))
    return SIGNATURE + b"".join(written(*chunk) for chunk in chunks)


def at_work(folder: Path) -> int:
    """How many have begun to wait for the gate."""
    return len(list(folder.glob("gate-*")))


SMALL, LARGE, COSTLY = announcing(300, 200), announcing(5000, 3000), announcing(8000, 6000)


def test_the_estimate_tells_the_three_apart() -> None:
    assert 0 < estimated_seconds(SMALL) < LARGE_SECONDS < estimated_seconds(LARGE) < COSTLY_SECONDS
    assert estimated_seconds(COSTLY) > COSTLY_SECONDS
    assert estimated_seconds(b"no picture") == 0


async def test_a_costly_picture_goes_to_another_process() -> None:
    lanes = DecodingLanes(work.process_id)
    assert [await lanes.call(data) == os.getpid() for data in (SMALL, LARGE, COSTLY)] == [True, True, False]
    first = await lanes.call(COSTLY)
    assert await lanes.call(COSTLY) == first, "the process stays"
    lanes.close()


async def test_the_refusal_of_a_child_process_is_the_same() -> None:
    lanes = DecodingLanes(prepare_image)
    with pytest.raises(UndecodableImage) as here:
        prepare_image(COSTLY)
    with pytest.raises(UndecodableImage) as there:
        await lanes.call(COSTLY)
    assert (there.value.reason, str(there.value)) == (here.value.reason, str(here.value))
    lanes.close()


async def test_costly_pictures_hold_up_no_other(tmp_path: Path) -> None:
    lanes, gate = DecodingLanes(work.wait_for), tmp_path / "gate"
    opened = tmp_path / "opened"
    opened.touch()
    costly = [asyncio.create_task(lanes.call(COSTLY, str(gate))) for _ in range(COSTLY_AT_ONCE + 3)]
    await eventually(lambda: at_work(tmp_path) == COSTLY_AT_ONCE)
    for data in (LARGE, SMALL):
        assert await lanes.call(data, str(opened)) == os.getpid()
    assert at_work(tmp_path) == COSTLY_AT_ONCE
    gate.touch()
    assert len(set(await asyncio.gather(*costly))) == COSTLY_AT_ONCE
    lanes.close()


async def test_large_pictures_hold_up_no_small_one(tmp_path: Path) -> None:
    lanes, gate = DecodingLanes(work.wait_for), tmp_path / "gate"
    opened = tmp_path / "opened"
    opened.touch()
    large = [asyncio.create_task(lanes.call(LARGE, str(gate))) for _ in range(LARGE_AT_ONCE + 3)]
    await eventually(lambda: at_work(tmp_path) == LARGE_AT_ONCE)
    assert await lanes.call(SMALL, str(opened)) == os.getpid()
    assert at_work(tmp_path) == LARGE_AT_ONCE
    gate.touch()
    await asyncio.gather(*large)


@pytest.mark.slow
async def test_decoding_is_given_up_and_the_next_picture_taken(tmp_path: Path) -> None:
    lanes = DecodingLanes(work.wait_for, give_up_seconds=4.0)
    with pytest.raises(DecodingGivenUp, match="given up") as refusal:
        await lanes.call(COSTLY, str(tmp_path / "never"))
    assert refusal.value.reason == "too_complex"
    (tmp_path / "opened").touch()
    assert await lanes.call(COSTLY, str(tmp_path / "opened")) != os.getpid()
    lanes.close()


async def test_a_picture_that_ends_its_process_is_refused() -> None:
    lanes = DecodingLanes(work.die)
    for _ in range(2):
        with pytest.raises(DecodingGivenUp, match="given up"):
            await lanes.call(COSTLY)
    lanes.close()


@pytest.mark.slow
async def test_cpu_time_is_bounded() -> None:
    lanes = DecodingLanes(work.compute, cpu_seconds=1)
    with pytest.raises(DecodingGivenUp, match="given up"):
        await lanes.call(COSTLY)
    lanes.close()
