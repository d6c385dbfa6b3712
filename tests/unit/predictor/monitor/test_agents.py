"""The monitor's agents on tables that are dicts: what they keep, count and publish, also after a restart."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.predictor.decisions.promotions import Promotions
from services.predictor.monitor.decisions.pictures import Reference
from services.predictor.monitor.references import AGAIN_SECONDS, KEPT, References
from shared.contract.replicas import AnswersLogged
from shared.runtime.errors import TransientError
from shared.testing import (
    MemoryObjectStore,
    label_corrected,
    prediction_logged,
)
from tests.unit.predictor.monitor.bench import Bench, artefact
from tests.unit.predictor.monitor.references_in_tests import answers, reference
from tests.unit.predictor.small_model import small_artefact


async def test_other_pictures_are_one_drift_with_everything_in_it(bench: Bench) -> None:
    await bench.take(answers(150))
    await bench.tick()
    assert await bench.drifts() == []
    await bench.take(answers(100, shift=1.0, seed=3))
    await bench.tick()
    (drift,) = await bench.drifts()
    assert (drift.statistic, drift.episode, drift.reference) == ("features", 1, reference().id)
    assert drift.value >= drift.threshold
    assert timedelta() < drift.window_to - drift.window_from < timedelta(seconds=60)
    assert {"confidence", "expected_confidence", "share_dandelion", "share_grass"} <= set(drift.figures)
    assert drift.causes[0] in {event.event_id for event, _ in bench.records}
    assert bench.told[-1].startswith("Drift after 250 answers")


async def test_repeated_deliveries_and_restarts_count_nothing_twice(bench: Bench) -> None:
    await bench.take(answers(120))
    await bench.tick()
    before = bench.watch
    await bench.repeat()
    await bench.tick()
    assert bench.watch == before
    bench.restart()
    await bench.repeat()
    await bench.tick()
    assert bench.watch == before


async def test_answers_of_one_record_are_counted_each_and_once(bench: Bench) -> None:
    usual, other = answers(150), answers(100, shift=1.0, seed=3)
    for start in range(0, 150, 50):
        await bench.take_together(usual[start : start + 50])
    await bench.tick()
    assert (bench.watch["answers"], await bench.drifts()) == (150, [])
    await bench.take_together(other)
    await bench.tick()
    bench.restart()
    await bench.repeat()
    await bench.tick()
    assert bench.watch["answers"] == 250
    assert len(await bench.drifts()) == 1


async def test_a_record_of_which_a_part_was_kept_before_a_kill_is_counted_whole(bench: Bench) -> None:
    await bench.take_together(answers(60))
    event, record = bench.records[0]
    assert isinstance(event, AnswersLogged)
    bench.tables[0].clear()
    bench.restart()
    await bench.monitor.on_answers_logged(event.model_copy(update={"answers": event.answers[:20]}), record)
    await bench.tick()
    assert bench.watch["answers"] == 20
    bench.restart()
    await bench.repeat()
    await bench.tick()
    assert bench.watch["answers"] == 60


async def test_many_small_records_between_two_ticks_are_all_counted(bench: Bench) -> None:
    given = answers(300)
    for start in range(0, 300, 3):
        await bench.take_together(given[start : start + 3])
    await bench.tick()
    assert bench.watch["answers"] == 300


async def test_what_was_kept_before_a_kill_is_counted_after_it(bench: Bench) -> None:
    await bench.take(answers(60))
    await bench.tick()
    await bench.take(answers(40, seed=9))
    bench.restart()
    await bench.tick()
    assert bench.watch["answers"] == 100


async def test_a_kill_between_publication_and_table_gives_the_same_event(bench: Bench) -> None:
    await bench.take(answers(100))
    await bench.tick()
    kept = dict(bench.tables[2])
    await bench.take(answers(80, shift=1.0, seed=3))
    await bench.tick()
    bench.tables[2].update(kept)  # the row of the watch was not written
    bench.restart()
    await bench.tick()
    first, second = await bench.drifts()
    assert first.event_id == second.event_id


async def test_the_same_picture_asked_again_and_again_counts_once(bench: Bench) -> None:
    (answer,) = answers(1, shift=5.0)
    again = [
        answer.model_copy(update={"prediction_id": made.prediction_id, "event_id": made.event_id})
        for made in answers(99)
    ]
    await bench.take([answer, *again])
    await bench.tick()
    assert bench.watch["answers"] == 1
    assert await bench.drifts() == []


async def test_only_answers_to_the_api_of_this_model_with_a_reference_count(bench: Bench) -> None:
    one = answers(3)
    await bench.take(
        [
            one[0].model_copy(update={"source": "stored"}),
            one[1].model_copy(update={"model_name": "animals"}),
            one[2].model_copy(update={"drift_reference": ""}),
            prediction_logged(),
        ]
    )
    await bench.tick()
    assert bench.tables[0] == {}
    assert bench.told[-1].startswith("No drift after 0 answers")


async def test_rows_of_a_model_of_another_name_do_not_count(bench: Bench) -> None:
    await bench.take(answers(10))
    bench.model_name = "animals"
    bench.restart()
    await bench.take([event.model_copy(update={"model_name": "animals"}) for event in answers(5, seed=4)])
    await bench.tick()
    assert bench.tables[2]["animals/pictures"]["answers"] == 5


async def test_a_new_full_model_begins_anew_without_late_answers_of_the_old(bench: Bench) -> None:
    await bench.take(answers(100, shift=1.0))
    await bench.tick()
    other = reference(seed=7)
    await bench.promote(artefact(other), "full-2")
    await bench.take(answers(30, version="full-2", of=other, seed=11))
    await bench.take(answers(20, shift=1.0, seed=12))
    await bench.tick()
    assert (bench.watch["reference"], bench.watch["answers"], bench.watch["open_since"]) == (other.id, 30, None)
    assert len(await bench.drifts()) == 1


async def test_corrected_versions_of_a_model_are_compared_together(bench: Bench) -> None:
    await bench.take(answers(50))
    await bench.promote(artefact(reference()), "fast-2")
    await bench.take(answers(50, version="fast-2", seed=4))
    await bench.tick()
    assert (bench.watch["answers"], bench.watch["sequence"]) == (100, 2)


async def test_a_rollback_to_an_earlier_full_model_is_followed(bench: Bench) -> None:
    other = reference(seed=7)
    await bench.promote(artefact(other), "full-2")
    await bench.take(answers(10, version="full-2", of=other))
    await bench.tick()
    await bench.promote(artefact(reference()), "full-1")
    await bench.take(answers(5, seed=4))
    await bench.tick()
    assert (bench.watch["reference"], bench.watch["answers"]) == (reference().id, 5)


async def test_answers_wait_until_the_promotions_and_the_store_are_there(bench: Bench) -> None:
    bench.monitor._references = References(bench.store)  # as before the first reading of model.promoted
    await bench.take(answers(10))
    await bench.tick()
    assert bench.tables[2] == {}
    bench.restart()

    class Away(MemoryObjectStore):
        async def get(self, *_: Any) -> bytes:
            raise TransientError("The object store is away.")

    bench.monitor._references = References(Away())
    bench.monitor._references.set_promotions(Promotions(bench.promoted))
    await bench.tick()
    assert bench.tables[2] == {}
    bench.monitor._references = bench.references
    await bench.tick()
    assert bench.watch["answers"] == 10


async def test_a_store_that_is_away_turns_the_health_red_and_stops_no_outcome(bench: Bench) -> None:
    class Away(MemoryObjectStore):
        async def get(self, *_: Any) -> bytes:
            raise TransientError("The object store is away.")

    bench.monitor._references = References(Away())
    bench.monitor._references.set_promotions(Promotions(bench.promoted))
    said = label_corrected(shown_model_version="full-1", shown_label="grass", shown_probability=0.9, label_to="grass")
    await bench.take(answers(3))
    await bench.take([said])
    await bench.tick()
    assert not bench.well
    assert "The object store is away." in bench.told[-1]
    assert bench.tables[2]["plants/agreement"]["window"] == [1]


async def test_what_no_answer_holds_is_not_counted(bench: Bench) -> None:
    good = answers(8)
    await bench.take(
        [
            good[0].model_copy(update={"projection": (1e160,) * 16}),
            good[1].model_copy(update={"projection": (0.0,) * 3}),
            good[2].model_copy(update={"probabilities": {good[2].label: 1e308}}),
            good[3].model_copy(update={"drift_reference": "a" * 600_000}),
            good[4].model_copy(update={"model_version": "v" * 1000}),
            good[5].model_copy(update={"label": "moss"}),
            *good[6:],
        ]
    )
    await bench.tick()
    assert bench.watch["answers"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 0.0},
        {"threshold": float("nan")},
        {"mean": (0.0,) * 3},
        {"whitening": ((1.0,),)},
        {"whitening": ((0.0,) * 16,) * 16},
    ],
    ids=["no threshold", "threshold is no number", "short mean", "small matrix", "singular matrix"],
)
async def test_a_reference_that_is_none_is_not_compared_with(bench: Bench, changes: dict[str, Any]) -> None:
    drift = reference().drift
    wrong = Reference(replace(drift, features=replace(drift.features, **changes)), reference().labels)
    await bench.promote(artefact(wrong), "full-2")
    await bench.take(answers(5, version="full-2", of=wrong))
    await bench.tick()
    assert bench.well
    assert bench.watch["answers"] == 0


async def test_an_open_drift_ends_with_its_model(bench: Bench) -> None:
    await bench.take(answers(100, shift=1.0))
    await bench.tick()
    assert bench.watch["open_since"] is not None
    await bench.promote(small_artefact(), "full-2")  # of an earlier release: it has no reference
    await bench.tick()
    assert bench.watch["open_since"] is None
    assert bench.told[-1].startswith("There is nothing to compare answers with")


async def test_a_lost_artefact_that_is_restored_is_read_again(bench: Bench) -> None:
    data, seconds = artefact(reference(seed=7)), [0.0]
    await bench.promote(data, "full-2")
    key = bench.promoted[-1].artefact_key
    await bench.store.put(key, b"damaged", "application/octet-stream")
    bench.references = bench.monitor._references = References(bench.store, lambda: seconds[0])
    bench.references.set_promotions(Promotions(bench.promoted))
    await bench.take(answers(5, version="full-2", of=reference(seed=7)))
    await bench.tick()
    await bench.store.put(key, data, "application/octet-stream")
    seconds[0] = AGAIN_SECONDS
    await bench.take(answers(6, version="full-2", of=reference(seed=7), seed=5))
    await bench.tick()
    assert bench.watch["answers"] == 6


async def test_a_reference_is_found_again_after_many_others(bench: Bench) -> None:
    first = reference()
    for number in range(2, 2 + KEPT):
        await bench.references.of(bench.promoted[-1])
        await bench.promote(artefact(reference(seed=number)), f"full-{number}")
    await bench.promote(artefact(first), "full-again")
    assert (await bench.references.of(bench.promoted[-1])) == first


async def test_a_damaged_artefact_stops_nothing(bench: Bench) -> None:
    data = artefact(reference(seed=7))
    await bench.promote(data, "full-2")
    await bench.store.put(bench.promoted[-1].artefact_key, b"damaged", "application/octet-stream")
    await bench.take(answers(10, version="full-2", of=reference(seed=7)))
    await bench.tick()
    assert bench.well
    assert bench.watch["answers"] == 0


async def test_the_result_does_not_depend_on_the_order_between_partitions(bench: Bench) -> None:
    events = answers(200)
    await bench.take(events)
    await bench.tick()
    async with Bench() as other:
        by_partition = sorted(bench.records, key=lambda found: found[1].partition)
        random.Random(1).shuffle(by_partition)
        for event, record in sorted(by_partition, key=lambda found: found[1].offset):
            await other._handle(event, record)
        await other.tick()
        assert other.watch["averages"] == bench.watch["averages"]


async def test_people_who_disagree_more_and_more_are_one_fall(bench: Bench) -> None:
    shown = {"shown_model_version": "full-1", "shown_label": "dandelion", "shown_probability": 0.95, "label_from": None}
    await bench.take([label_corrected(label_to="dandelion", **shown) for _ in range(120)])
    await bench.tick()
    assert await bench.drifts() == []
    await bench.take([label_corrected(label_to="grass", **shown) for _ in range(40)])
    await bench.tick()
    (drift,) = await bench.drifts()
    assert (drift.statistic, drift.model_version) == ("accuracy", "full-1")
    assert drift.value < drift.threshold == drift.figures["accuracy_before"]
    await bench.repeat()
    await bench.tick()
    assert len(await bench.drifts()) == 1


async def test_a_person_who_saw_no_answer_or_decides_again_says_nothing_about_it(bench: Bench) -> None:
    first = label_corrected(
        shown_model_version="full-1", shown_label="dandelion", shown_probability=0.9, label_to="grass"
    )
    again = first.model_copy(update={"event_id": label_corrected().event_id, "revision": 2, "label_to": "dandelion"})
    of_an_earlier_release = label_corrected(shown_model_version="full-1", shown_label="grass", label_to="grass")
    await bench.take([label_corrected(), of_an_earlier_release, first, again])
    await bench.tick()
    assert bench.tables[2]["plants/agreement"]["window"] == [0]
