"""The fast lane as a reconciler: it ends with every wanted correction live, or says why
not."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.trainer.dataset.records import Candidate, Champion, Correction, Retraction
from services.trainer.fast_lane.decisions.build_plan import (
    VERDICT_TIMEOUT,
    BuildCandidate,
    FastLaneState,
    Idle,
    decide,
    find_excluded,
    oldest_unserved,
)
from shared.contract.events import AppliedCorrection, ModelPromoted, ModelTrained, SetAside, uuid_of

START = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = ("dandelion", "grass")


def image(number: int) -> UUID:
    return uuid_of("image", number)


def correction(number: int, revision: int = 1, label: str = "grass", seconds: float = 0) -> Correction:
    return Correction(
        image_id=image(number),
        revision=revision,
        label=label,
        sha256=f"{number:064d}",
        object_key=f"images/{number}",
        group_id=f"group-{number}",
        corrected_at=START + timedelta(seconds=seconds),
        event_id=uuid_of("label.corrected", number, revision),
    )


def trained(version: str, corrections: tuple[AppliedCorrection, ...] = (), parent: str | None = None) -> ModelTrained:
    return ModelTrained(
        event_id=uuid_of("model.trained", version),
        occurred_at=START,
        model_name="plants",
        version=version,
        artefact_key=f"models/{version}/model.onnx",
        artefact_sha256="a" * 64,
        lane="full" if parent is None else "fast",
        parent=parent,
        backbone_id="b" * 64,
        weights_sha256="c" * 64,
        manifest_key="manifests/d.json",
        manifest_sha256="d" * 64,
        labels=LABELS,
        training_images=10,
        test_images=4,
        corrections=corrections,
    )


def champion(model: ModelTrained, sequence: int = 1, frozen: bool = False) -> Champion:
    promotion = ModelPromoted(
        event_id=uuid_of("promotion", sequence),
        occurred_at=START,
        model_name="plants",
        version=model.version,
        artefact_key=model.artefact_key,
        artefact_sha256=model.artefact_sha256,
        sequence=sequence,
        replaces=None,
        frozen=frozen,
        lane=model.lane,
        route="first",
        summary="frozen by ada: on holiday" if frozen else "the first",
    )
    return Champion(promotion, model)


FIRST = champion(trained("full-1"))


def test_without_a_champion_it_makes_nothing() -> None:
    assert isinstance(decide(FastLaneState(None, [correction(1)]), START), Idle)
    assert FastLaneState(None, [correction(1)]).unserved == [correction(1)]


def test_a_correction_that_is_not_live_is_made_because_of_its_event() -> None:
    decision = decide(FastLaneState(FIRST, [correction(2, seconds=2), correction(1, seconds=1)]), START)
    assert isinstance(decision, BuildCandidate)
    assert [one.image_id for one in decision.corrections] == sorted([image(1), image(2)])
    assert decision.causes == (correction(1).event_id, correction(2).event_id)


def test_only_fresh_corrections_are_causes_but_all_are_in_the_manifest() -> None:
    serving = champion(trained("fast-1", (correction(1).applied,), parent="full-1"), sequence=2)
    decision = decide(FastLaneState(serving, [correction(1), correction(2)]), START)
    assert isinstance(decision, BuildCandidate)
    assert len(decision.corrections) == 2
    assert decision.causes == (correction(2).event_id,)


def test_when_all_are_live_it_makes_nothing() -> None:
    serving = champion(trained("fast-1", (correction(1).applied,), parent="full-1"), sequence=2)
    assert isinstance(decide(FastLaneState(serving, [correction(1)]), START), Idle)


def test_frozen_promotions_stop_it_and_the_reason_names_who() -> None:
    frozen = champion(trained("full-1"), frozen=True)
    decision = decide(FastLaneState(frozen, [correction(1)]), START)
    assert isinstance(decision, Idle)
    assert "ada" in decision.reason


def test_one_candidate_at_a_time() -> None:
    waiting = Candidate("fast-x", START, judged=False)
    assert isinstance(decide(FastLaneState(FIRST, [correction(1)], candidates=[waiting]), START), Idle)


def test_a_candidate_the_gate_gave_up_on_does_not_block_later_corrections() -> None:
    waiting = Candidate("fast-x", START, judged=False)
    assert isinstance(
        decide(FastLaneState(FIRST, [correction(1)], candidates=[waiting]), START + VERDICT_TIMEOUT), BuildCandidate
    )


def test_what_has_its_verdict_is_not_made_again() -> None:
    situation = FastLaneState(FIRST, [correction(1)])
    made = decide(situation, START)
    assert isinstance(made, BuildCandidate)
    judged = replace(situation, candidates=[Candidate(made.version, START, judged=True)])
    assert isinstance(decide(judged, START), Idle)


def test_after_a_rollback_the_same_corrections_are_made_anew() -> None:
    first, later = (
        decide(FastLaneState(FIRST, [correction(1)]), START),
        decide(FastLaneState(champion(trained("full-1"), sequence=3), [correction(1)]), START),
    )
    assert isinstance(first, BuildCandidate)
    assert isinstance(later, BuildCandidate)
    assert first.version != later.version


def test_a_label_that_is_toggled_back_is_a_new_version() -> None:
    versions = set()
    for revision, label in enumerate(["grass", "dandelion", "grass"], start=1):
        decision = decide(FastLaneState(FIRST, [correction(1, revision, label)]), START)
        assert isinstance(decision, BuildCandidate)
        versions.add(decision.version)
    assert len(versions) == 3


def test_a_correction_set_aside_does_not_hold_up_the_rest() -> None:
    aside = SetAside(image_id=image(1), revision=1, sentence="It broke two answers.")
    situation = FastLaneState(FIRST, [correction(1), correction(2)], set_aside=[aside])
    decision = decide(situation, START)
    assert isinstance(decision, BuildCandidate)
    assert [one.image_id for one in decision.corrections] == [image(2)]
    assert find_excluded(situation) == {image(1): "It broke two answers."}


def test_a_newer_revision_of_a_correction_set_aside_is_wanted() -> None:
    aside = SetAside(image_id=image(1), revision=1, sentence="It broke two answers.")
    assert isinstance(decide(FastLaneState(FIRST, [correction(1, 2)], set_aside=[aside]), START), BuildCandidate)


def test_what_a_full_training_took_in_stays_in_though_it_was_set_aside() -> None:
    aside = SetAside(image_id=image(1), revision=1, sentence="It broke two answers.")
    serving = champion(trained("full-2", (correction(1).applied,)), sequence=2)
    decision = decide(FastLaneState(serving, [correction(1), correction(2)], set_aside=[aside]), START)
    assert isinstance(decision, BuildCandidate)
    assert len(decision.corrections) == 2


def test_unknown_labels_and_unreadable_images_are_left_out_by_name() -> None:
    situation = FastLaneState(
        FIRST, [correction(1, label="daisy"), correction(2)], unreadable={image(2): "Its bytes are gone."}
    )
    decision = decide(situation, START)
    assert isinstance(decision, Idle)
    assert set(find_excluded(situation)) == {image(1), image(2)}
    assert situation.unserved == []


def test_a_correction_to_an_added_class_makes_the_champion_know_it() -> None:
    classes = (*LABELS, "rose", "daisy", "moss")
    situation = FastLaneState(
        FIRST, [correction(1, label="moss"), correction(2), correction(3, label="rose")], classes=classes
    )
    decision = decide(situation, START)
    assert isinstance(decision, BuildCandidate)
    assert decision.new_labels == ("rose", "moss")
    assert len(decision.corrections) == 3
    plain = decide(FastLaneState(FIRST, [correction(2)], classes=classes), START)
    assert isinstance(plain, BuildCandidate)
    assert plain.new_labels == ()


def test_an_inexact_correction_is_left_out_unless_it_is_held() -> None:
    inexact = {(image(1), 1): "It contradicts others."}
    assert FastLaneState(FIRST, [correction(1)], inexact=inexact).unserved == []
    assert FastLaneState(FIRST, [correction(1, revision=2)], inexact=inexact).unserved != []
    held = champion(trained("full-2", (correction(1).applied,)), sequence=2)
    assert isinstance(decide(FastLaneState(held, [correction(1)], inexact=inexact), START), Idle)


def test_it_waits_for_tables_that_are_behind_the_champion() -> None:
    serving = champion(trained("fast-1", (correction(1).applied,), parent="full-1"), sequence=2)
    assert isinstance(decide(FastLaneState(serving, []), START), Idle)


def test_the_oldest_unserved_correction_comes_first() -> None:
    situation = FastLaneState(FIRST, [correction(1, seconds=5), correction(2, seconds=3)])
    assert [one.image_id for one in situation.unserved] == [image(2), image(1)]


@dataclass
class World:
    """The tables as the log would fold them, and a gate that decides as it is told."""

    corrections: dict[UUID, Correction] = field(default_factory=dict)
    models: dict[str, ModelTrained] = field(default_factory=lambda: {"full-0": trained("full-0")})
    judged: set[str] = field(default_factory=lambda: {"full-0"})
    promoted: list[str] = field(default_factory=lambda: ["full-0"])
    frozen: bool = False
    aside: list[SetAside] = field(default_factory=list)

    def situation(self) -> FastLaneState:
        serving = champion(self.models[self.promoted[-1]], len(self.promoted), self.frozen)
        candidates = [
            Candidate(model.version, START, model.version in self.judged)
            for model in self.models.values()
            if model.parent == serving.version
        ]
        return FastLaneState(serving, list(self.corrections.values()), self.aside, candidates, recipe="r")

    def correct(self, number: int, label: str) -> None:
        known = self.corrections.get(image(number))
        self.corrections[image(number)] = correction(number, 1 if known is None else known.revision + 1, label)

    def make(self) -> None:
        decision = decide(self.situation(), START)
        if isinstance(decision, BuildCandidate):
            held = tuple(one.applied for one in decision.corrections)
            self.models[decision.version] = trained(decision.version, held, parent=decision.champion.version)

    def judge(self, accept: bool) -> None:
        for model in [model for model in self.models.values() if model.version not in self.judged]:
            self.judged.add(model.version)
            if self.frozen or model.parent not in (None, self.promoted[-1]):
                continue
            if accept:
                self.promoted.append(model.version)
            elif model.held:
                worst = max(model.held, key=lambda held: held.image_id)
                self.aside.append(SetAside(**worst.model_dump(), sentence="It broke an answer."))

    def act(self, action: tuple[str, int]) -> None:
        name, number = action
        if name in LABELS:
            self.correct(number, name)
        elif name == "make":
            self.make()
        elif name == "judge":
            self.judge(accept=number % 3 > 0)
        elif name == "full":
            held = tuple(one.applied for one in self.corrections.values())
            version = f"full-{len(self.models)}"
            self.models[version] = trained(version, held)
        else:
            self.frozen = name != "unfreeze"
            self.promoted.append(
                self.promoted[number % len(self.promoted)] if name == "rollback" else self.promoted[-1]
            )


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from([*LABELS, *LABELS, "make", "make", "judge", "judge", "full", "rollback", "freeze", "unfreeze"]),
        st.integers(0, 5),
    ),
    max_size=40,
)


@given(ACTIONS)
def test_after_any_history_the_lane_ends_with_every_wanted_correction_live(actions: list[tuple[str, int]]) -> None:
    world = World()
    for action in actions:
        world.act(action)
    world.act(("unfreeze", 0))
    for _ in range(4):
        world.make()
        world.judge(accept=True)
    situation = world.situation()
    assert isinstance(decide(situation, START), Idle)
    assert situation.unserved == []
    held = {one.image_id: one.revision for one in world.models[world.promoted[-1]].held}
    for one in world.corrections.values():
        assert one.image_id in find_excluded(situation) or held[one.image_id] == one.revision


@given(ACTIONS)
def test_a_lane_that_looks_again_without_news_makes_nothing_new(actions: list[tuple[str, int]]) -> None:
    world = World()
    for action in actions:
        world.act(action)
    world.make()
    versions = set(world.models)
    world.make()
    assert set(world.models) == versions


@given(ACTIONS, st.permutations(range(6)))
def test_the_order_of_rows_does_not_matter(actions: list[tuple[str, int]], order: list[int]) -> None:
    world = World()
    for action in actions:
        world.act(action)
    situation = world.situation()
    shuffled = replace(
        situation, corrections=sorted(situation.corrections, key=lambda one: hash((order[0], one.image_id)))
    )
    assert decide(situation, START) == decide(shuffled, START)


def retraction(number: int, revision: int = 2, held_revision: int = 0, seconds: float = 5) -> Retraction:
    at = START + timedelta(seconds=seconds)
    return Retraction(image(number), revision, held_revision, at, uuid_of("label.corrected", number, revision))


def test_a_label_that_was_taken_back_leaves_the_layer() -> None:
    kept, gone = correction(1), correction(2)
    holder = champion(trained("fast-1", (kept.applied, gone.applied), "full-1"), 2)
    state = FastLaneState(holder, [kept], retractions=[retraction(2)])

    decision = decide(state, START)

    assert isinstance(decision, BuildCandidate)
    assert (decision.corrections, decision.causes) == ((kept,), (retraction(2).event_id,))
    assert oldest_unserved(state) == START + timedelta(seconds=5)


def test_a_label_that_no_model_holds_is_taken_back_for_nothing() -> None:
    state = FastLaneState(FIRST, [], retractions=[retraction(2)])
    assert isinstance(decide(state, START), Idle)
    assert oldest_unserved(state) is None


def test_a_withdrawal_that_restores_a_label_builds_it_again() -> None:
    restored = replace(correction(1), event_id=retraction(1, 3, 1).event_id)
    holder = champion(trained("fast-1", (AppliedCorrection(image_id=image(1), revision=2),), "full-1"), 2)

    decision = decide(FastLaneState(holder, [restored], retractions=[retraction(1, 3, 1)]), START)

    assert isinstance(decision, BuildCandidate)
    assert (decision.corrections, decision.causes) == ((restored,), (restored.event_id,))


def test_a_champion_ahead_of_a_withdrawal_waits_for_the_tables() -> None:
    ahead = champion(trained("fast-1", (AppliedCorrection(image_id=image(1), revision=3),), "full-1"), 2)
    decision = decide(FastLaneState(ahead, [], retractions=[retraction(1)]), START)
    assert isinstance(decision, Idle)
    assert "behind" in decision.reason
