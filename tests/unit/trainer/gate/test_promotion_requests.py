"""What a request means in each state of promotions."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trainer.dataset.records import Champion, ModelRow
from services.trainer.gate.decisions.promotion_requests import (
    RequestContext,
    RequiresEvaluation,
    RequiresLoad,
    plan_request,
    reason_frozen,
    reason_if_superseded,
)
from services.trainer.gate.decisions.verdict_events import Promote, Reject, ask_first, make_verdict_event
from shared.contract.events import ModelPromoted, ModelTrained
from shared.testing import model_promoted, model_rejected, model_trained, promotion_requested

Action = Literal["rollback", "approve", "override", "freeze", "unfreeze"]
ACTIONS: tuple[Action, ...] = ("rollback", "approve", "override", "freeze", "unfreeze")
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def champion(version: str = "full-1", sequence: int = 4, frozen: bool = False) -> Champion:
    model = model_trained(version=version)
    return Champion(model_promoted(version=version, sequence=sequence, frozen=frozen), model)


def row(version: str, promoted: tuple[int, ...] = (), **changes: object) -> ModelRow:
    return ModelRow(model_trained(version=version, **changes), promoted, model_rejected(version=version))


situations = st.builds(
    RequestContext,
    st.one_of(st.none(), st.builds(champion, frozen=st.booleans())),
    st.one_of(st.none(), st.builds(row, st.sampled_from(["full-1", "full-2"]), st.sampled_from([(), (1,)]))),
)


@given(st.sampled_from(ACTIONS), situations, st.sampled_from(["", "because"]))
def test_every_request_is_answered_with_a_sentence(action: Action, situation: RequestContext, reason: str) -> None:
    answer = plan_request(promotion_requested(action=action, version="full-2", reason=reason), situation)
    decision = answer.decision if isinstance(answer, RequiresLoad | RequiresEvaluation) else answer
    assert decision.summary
    if isinstance(decision, Promote) and action in ("rollback", "approve", "override"):
        assert situation.champion is None or decision.model.version != situation.champion.version
    if situation.champion is None and action in ("freeze", "unfreeze"):
        assert isinstance(decision, Reject)


@given(st.booleans())
def test_freeze_and_unfreeze_change_the_flag_and_nothing_else(frozen: bool) -> None:
    serving = champion(frozen=frozen)
    for action, asked in (("freeze", True), ("unfreeze", False)):
        answer = plan_request(promotion_requested(action=action, version=None), RequestContext(serving, None))
        if asked == frozen:
            assert isinstance(answer, Reject)
        else:
            assert isinstance(answer, Promote)
            assert (answer.model, answer.frozen) == (serving.model, asked)


def test_a_rollback_names_what_was_in_service_and_freezes() -> None:
    answer = plan_request(promotion_requested(version="full-0"), RequestContext(champion(), row("full-0", (1,))))
    assert isinstance(answer, RequiresLoad)
    assert (answer.decision.frozen, answer.decision.route) == (True, "rollback")
    assert isinstance(
        plan_request(promotion_requested(version="full-0"), RequestContext(champion(), row("full-0"))), Reject
    )


@pytest.mark.parametrize("frozen", [True, False])
def test_approve_and_override_leave_the_freeze_as_it_is(frozen: bool) -> None:
    for action in ("approve", "override"):
        request = promotion_requested(action=action, version="full-2")
        answer = plan_request(request, RequestContext(champion(frozen=frozen), row("full-2")))
        assert isinstance(answer, RequiresLoad | RequiresEvaluation)
        assert answer.decision.frozen == frozen


def test_an_override_needs_a_reason() -> None:
    request = promotion_requested(action="override", version="full-2", reason="  ")
    assert isinstance(plan_request(request, RequestContext(champion(), row("full-2"))), Reject)


def test_only_a_fast_candidate_can_be_superseded() -> None:
    serving = champion("full-1")
    fast: ModelTrained = model_trained(version="fast-1", lane="fast", parent="full-1")
    assert reason_if_superseded(fast, serving) is None
    assert "full-1" in (reason_if_superseded(fast, champion("full-2")) or "")
    assert reason_if_superseded(fast, None) is not None
    assert reason_if_superseded(model_trained(version="full-3", parent="full-0"), serving) is None


def test_a_verdict_takes_the_next_sequence_and_an_id_of_cause_and_sequence() -> None:
    candidate = model_trained(version="full-2")
    decision = Promote(candidate, "superior", "It is better.")
    first = make_verdict_event(decision, candidate, None, NOW)
    later = make_verdict_event(decision, candidate, champion(sequence=4), NOW)
    assert isinstance(first, ModelPromoted)
    assert isinstance(later, ModelPromoted)
    assert (first.sequence, first.replaces, later.sequence, later.replaces) == (1, None, 5, "full-1")
    assert first.event_id == make_verdict_event(decision, candidate, None, NOW).event_id != later.event_id
    assert first.cause == candidate.event_id
    assert (later.artefact_key, later.artefact_sha256) == (candidate.artefact_key, candidate.artefact_sha256)


def test_a_verdict_on_a_request_answers_it() -> None:
    request = promotion_requested(action="rollback", version="full-2")
    refused = make_verdict_event(Reject("full-2", "No."), request, champion(), NOW)
    done = make_verdict_event(
        Promote(model_trained(version="full-2"), "rollback", "Done.", True), request, champion(), NOW
    )
    assert isinstance(done, ModelPromoted)
    assert refused.answers == done.answers == refused.cause == done.cause == request.event_id
    assert done.requested_by == request.requested_by


@pytest.mark.parametrize("stop", ["", "."])
def test_the_sentence_about_a_freeze_ends_with_one_stop(stop: str) -> None:
    assert reason_frozen(f"carla froze promotions: the fair is on{stop}") == (
        "Promotions are frozen: carla froze promotions: the fair is on."
    )


def test_an_approval_that_a_rollback_overtook_is_refused() -> None:
    request = promotion_requested(action="approve", version="full-2", occurred_at=NOW)
    serving = champion(frozen=True)
    later = serving.promotion.model_copy(update={"route": "rollback", "occurred_at": NOW + timedelta(seconds=1)})
    refused = plan_request(request, RequestContext(Champion(later, serving.model), row("full-2")))
    assert isinstance(refused, Reject)
    assert "ask again" in refused.summary
    earlier = later.model_copy(update={"occurred_at": NOW - timedelta(seconds=1)})
    asked_afterwards = plan_request(request, RequestContext(Champion(earlier, serving.model), row("full-2")))
    assert isinstance(asked_afterwards, RequiresEvaluation)


def test_who_wants_to_be_asked_is_asked_for_full_models_only() -> None:
    full = Promote(model_trained(version="full-2"), "non_inferior", "Promoted: it is no worse.")
    fast = Promote(model_trained(version="fast-2", lane="fast", parent="full-1"), "non_inferior", "Promoted: fine.")
    assert ask_first(full, "automatic") == full
    assert ask_first(fast, "ask") == fast
    waits = ask_first(full, "ask")
    assert isinstance(waits, Reject)
    assert waits.waits_for_approval
    assert waits.summary == (
        "Waits for an operator: it is no worse. An operator has to approve it: pappus approve full-2."
    )
    refused = Reject("full-2", "Rejected: it is worse.")
    assert ask_first(refused, "ask") == refused
