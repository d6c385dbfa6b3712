"""When a row has its outcome, and what is said where the waiting ends before."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from pappus.demo.images import ImageSource
from pappus.demo.intake import AGAIN, explain_interruption
from pappus.errors import Refused
from pappus.plants import RowStatus, settled

STORED = RowStatus("stored")
UNREACHABLE = RowStatus("rejected", "unreachable", "no server there", will_retry=True)


def test_a_rejection_for_good_is_final_and_waiting_is_not() -> None:
    assert RowStatus("rejected", "truncated").final
    assert STORED.final
    assert not UNREACHABLE.final
    assert not RowStatus("waiting").final


async def test_an_image_that_is_fetched_in_the_end_is_not_reported_as_rejected() -> None:
    steps = iter([{}, {"a": UNREACHABLE}, {"a": RowStatus("waiting")}, {"a": STORED}])
    summary: list[Counter[str]] = []

    async def look() -> Mapping[str, RowStatus]:
        return next(steps)

    assert await settled(look, ["a"], 30, summary.append, "") == {}
    assert [dict(states) for states in summary] == [{}, {"away": 1}, {"waiting": 1}, {"stored": 1}]


async def test_at_the_end_of_the_time_what_is_out_of_reach_counts_as_rejected() -> None:
    async def look() -> Mapping[str, RowStatus]:
        return {"a": UNREACHABLE, "b": STORED}

    assert await settled(look, ["a", "b"], -1, lambda _: None, "See: there") == {"a": "unreachable: no server there"}


async def test_at_the_end_of_the_time_a_row_without_an_outcome_is_named() -> None:
    async def look() -> Mapping[str, RowStatus]:
        return {"b": STORED}

    with pytest.raises(Refused, match=r"1 of 2 images have no outcome.*the first is a. See: there"):
        await settled(look, ["a", "b"], -1, lambda _: None, "See: there")


@pytest.mark.parametrize("end", [Refused("Too late."), asyncio.CancelledError()])
def test_ending_the_wait_for_a_folder_asks_to_repeat_the_command(end: BaseException) -> None:
    with pytest.raises(Refused, match=AGAIN), explain_interruption(ImageSource("", (), {"http://h/": Path()})):
        raise end


def test_images_of_others_are_fetched_without_us() -> None:
    with pytest.raises(Refused) as refusal, explain_interruption(ImageSource("", (), {})):
        raise Refused("Too late.")
    assert str(refusal.value) == "Too late."
