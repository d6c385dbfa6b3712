"""When a full training is asked for, and when not."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.trainer.full_trigger.decisions.training_due import (
    Arrival,
    Request,
    State,
    TriggerSettings,
    WaitUntil,
    decide,
    sort_by_time,
)
from shared.contract.events import uuid_of
from shared.contract.split import Side

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SETTINGS = TriggerSettings(labels=("dandelion", "grass"))
LABELS = SETTINGS.labels
LATER = NOON + timedelta(minutes=5)


def arrivals(count: int, name: str = "image", fresh: bool = True, start: datetime = NOON) -> list[Arrival]:
    """Return arrivals, one a second."""
    return [Arrival(uuid_of(name, n), start + timedelta(seconds=n), fresh) for n in range(count)]


def ids(some: Iterable[Arrival]) -> set[UUID]:
    return {arrival.event_id for arrival in some}


def asked(state: State, now: datetime = LATER) -> Request:
    answer = decide(state, now, SETTINGS)
    assert isinstance(answer, Request)
    return answer


def waits(state: State, now: datetime = LATER) -> WaitUntil:
    answer = decide(state, now, SETTINGS)
    assert isinstance(answer, WaitUntil)
    return answer


def first(dandelions: int, grasses: int) -> State:
    return State(trusted={"dandelion": arrivals(dandelions, "dandelion"), "grass": arrivals(grasses, "grass")})


def after_training(**changes: object) -> State:
    return State(trusted={}, trained_at=NOON, **changes)  # type: ignore[arg-type]


def test_nothing_at_all_asks_for_nothing() -> None:
    assert waits(first(0, 0)).time is None


def test_the_first_model_needs_twenty_trusted_images_of_each_label() -> None:
    answer = waits(first(200, 19))
    assert answer.time is None
    assert "200 of dandelion, 19 of grass" in answer.why


def test_the_first_model_is_asked_for_once_each_label_has_twenty() -> None:
    state = first(25, 20)
    request = asked(state)
    assert request.reason == "first_model"
    assert set(request.causes) == ids([*state.trusted["dandelion"][:20], *state.trusted["grass"]])


def test_a_label_that_is_not_configured_does_not_stand_in_for_one() -> None:
    state = State(trusted={"dandelion": arrivals(30, "dandelion"), "moss": arrivals(30, "moss")})
    assert "0 of grass" in waits(state).why


def test_nine_new_images_are_too_few_and_ten_are_enough() -> None:
    weekly = waits(after_training(new_images=arrivals(9)))
    assert weekly.time == NOON + timedelta(days=7)
    request = asked(after_training(new_images=arrivals(10)))
    assert request.reason == "new_images"
    assert request.causes == tuple(arrival.event_id for arrival in arrivals(10))


def test_more_of_the_same_does_not_change_the_causes() -> None:
    assert asked(after_training(new_images=arrivals(10))) != asked(after_training(new_images=arrivals(11)))
    assert (
        asked(after_training(new_images=arrivals(10))).causes == asked(after_training(new_images=arrivals(500))).causes
    )


def test_ten_corrections_make_the_layer_grown() -> None:
    assert waits(after_training(new_corrections=arrivals(9))).time == NOON + timedelta(days=7)
    assert asked(after_training(new_corrections=arrivals(10))).reason == "correction_layer_grown"


def test_of_a_large_data_set_a_twentieth_has_to_be_new() -> None:
    known = {"dandelion": arrivals(1000, "known"), "grass": []}
    few, enough = (arrivals(count, "new") for count in (49, 50))
    state = replace(after_training(new_images=few), trusted={**known, "grass": few})
    assert waits(state).time == NOON + timedelta(days=7)
    state = replace(after_training(new_images=enough), trusted={**known, "grass": enough})
    assert asked(state).reason == "new_images"


def test_the_lane_rests_four_times_as_long_as_the_last_training_took() -> None:
    state = after_training(new_images=arrivals(10), took_seconds=100.0)
    assert waits(state).time == NOON + timedelta(seconds=400)
    assert asked(state, NOON + timedelta(seconds=400)).reason == "new_images"


def test_the_first_model_does_not_rest() -> None:
    assert asked(replace(first(20, 20), took_seconds=4000.0)).reason == "first_model"


def test_no_more_is_requested_than_a_day_allows() -> None:
    settings = SETTINGS.model_copy(update={"daily_trainings": 3})
    requests = [NOON - timedelta(hours=hours) for hours in (30, 20, 2, 1)]
    state = after_training(new_images=arrivals(10), requests=requests)
    answer = decide(state, LATER, settings)
    assert isinstance(answer, WaitUntil)
    assert answer.time == NOON + timedelta(hours=4)
    assert "3 trainings were requested within 24 hours" in answer.why
    assert isinstance(decide(state, NOON + timedelta(hours=4), settings), Request)


def test_while_promotions_are_frozen_nothing_is_trained() -> None:
    answer = waits(after_training(new_images=arrivals(10), frozen=True))
    assert answer.time is None
    assert "frozen" in answer.why


def test_drift_alone_waits_for_a_label_that_comes_after_it() -> None:
    drifts = arrivals(1, "drift")
    assert waits(after_training(drifts=drifts)).time is None
    before = [replace(one, at=drifts[0].at - timedelta(seconds=1)) for one in arrivals(3, "earlier")]
    state = after_training(drifts=drifts, new_corrections=before)
    assert waits(state).time == NOON + timedelta(days=7)
    correction = [replace(one, at=drifts[0].at + timedelta(seconds=1)) for one in arrivals(1, "correction")]
    request = asked(after_training(drifts=drifts, new_corrections=correction))
    assert request.reason == "drift"
    assert set(request.causes) == ids([*drifts, *correction])


def test_a_week_with_one_new_label_is_reason_enough() -> None:
    state = after_training(new_images=arrivals(1))
    assert waits(state, NOON + timedelta(days=6)).time == NOON + timedelta(days=7)
    assert asked(state, NOON + timedelta(days=7)).reason == "weekly"


def test_a_week_without_anything_new_is_not() -> None:
    assert waits(after_training(), NOON + timedelta(days=70)).time is None


def test_the_most_urgent_of_several_reasons_is_named() -> None:
    state = after_training(
        new_images=arrivals(30), new_corrections=arrivals(60, "correction"), drifts=arrivals(1, "drift")
    )
    assert asked(state).reason == "drift"


def test_a_burst_is_waited_for_until_it_is_quiet() -> None:
    state = after_training(new_images=arrivals(12))  # the last one 11 s after noon, the tenth 9 s after noon
    last = NOON + timedelta(seconds=11)
    assert waits(state, last).time == last + timedelta(seconds=2)
    assert asked(state, last + timedelta(seconds=2))


def test_an_endless_burst_delays_a_training_by_fifteen_seconds_at_most() -> None:
    state = after_training(new_images=arrivals(100))
    met = NOON + timedelta(seconds=9)
    assert waits(state, met + timedelta(seconds=14)).time == met + timedelta(seconds=15)
    assert asked(state, met + timedelta(seconds=15))


def test_one_request_at_a_time_for_at_most_ten_minutes() -> None:
    state = after_training(new_images=arrivals(20), asked_at=NOON)
    assert waits(state, NOON + timedelta(minutes=9)).time == NOON + timedelta(minutes=10)
    assert asked(state, NOON + timedelta(minutes=10))


def test_what_was_asked_for_before_is_not_asked_for_again() -> None:
    assert waits(after_training(new_images=arrivals(500, fresh=False))).time is None
    assert waits(State(trusted={label: arrivals(30, label, fresh=False) for label in SETTINGS.labels})).time is None


def test_one_fresh_image_asks_again_for_those_that_led_to_no_model() -> None:
    old, new = arrivals(30, fresh=False), arrivals(1, "fresh", start=LATER)
    request = asked(after_training(new_images=[*old, *new]), LATER + timedelta(minutes=1))
    assert set(request.causes) == ids([*old[:10], *new])


def test_a_fresh_image_after_old_ones_is_debounced_too() -> None:
    state = after_training(new_images=[*arrivals(30, fresh=False), *arrivals(1, "fresh", start=LATER)])
    assert waits(state, LATER).time == LATER + timedelta(seconds=2)


@pytest.mark.parametrize("same_time", [True, False])
def test_order_is_by_time_and_then_by_id(same_time: bool) -> None:
    made = [Arrival(uuid_of(n), NOON if same_time else NOON - timedelta(seconds=n), True) for n in range(5)]
    assert sort_by_time(made) == sort_by_time(reversed(made))


def on(side: Side | None, count: int, name: str, fresh: bool = True) -> list[Arrival]:
    return [replace(one, side=side) for one in arrivals(count, f"{name} {side}", fresh)]


def sided(grass_test: int, fresh: bool = True, **changes: object) -> State:
    """20 images of each label to train with; of dandelion 5 to test with."""
    return State(
        trusted={
            "dandelion": [*on("train", 20, "dandelion", fresh), *on("test", 5, "dandelion", fresh)],
            "grass": [*on("train", 20, "grass", fresh), *on("test", grass_test, "grass")],
        },
        **changes,  # type: ignore[arg-type]
    )


def test_the_first_model_waits_for_a_test_image_of_each_label_and_says_so() -> None:
    assert "no test image of grass among 20" in waits(sided(0)).why
    request = asked(sided(1))
    assert ids(on("test", 1, "grass")) | ids(on("test", 1, "dandelion")) <= set(request.causes)


def test_a_request_that_could_lead_to_no_model_holds_nothing_up() -> None:
    before = sided(0, fresh=False, asked_at=LATER)
    assert waits(before).time is None
    assert asked(sided(1, fresh=False, asked_at=LATER)).reason == "first_model"


def test_a_request_that_can_lead_to_a_model_is_waited_for() -> None:
    state = State(
        trusted={label: [*on("train", 20, label, fresh=False), *on("test", 1, label, fresh=False)] for label in LABELS},
        asked_at=LATER,
    )
    assert waits(state).time == LATER + timedelta(minutes=10)


def test_images_of_earlier_releases_count_on_both_sides() -> None:
    assert asked(State(trusted={label: on(None, 20, label) for label in LABELS})).reason == "first_model"
