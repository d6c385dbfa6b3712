"""Explanations in sentences: what led to an answer, a model or a label."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from pappus.actions.explaining import explain_answer, explain_image, explain_model, explain_near, revision_sentence
from shared.clients.answers import HistoryEntry, ImageView, ModelView, PromotionView, ServingModel
from shared.clients.lineage import HoldingModel, ImageStory, LearnedCorrection, ModelStory, TimeInService
from shared.contract.events import RuleOutcome
from shared.testing import prediction_logged, training_requested
from shared.testing.events import NOON

from .api_answers import history_entry, image

IMAGE, EVENT = UUID(int=1), UUID(int=2)


def entry(**changes: Any) -> HistoryEntry:
    return HistoryEntry.model_validate(history_entry(**changes))


def story(**changes: Any) -> ModelStory:
    values: dict[str, Any] = dict.fromkeys(
        name for name, field in ModelView.model_fields.items() if field.is_required()
    )
    values |= {"version": "fast-2", "lane": "fast", "parent": "full-1", "state": "champion", "sequence": 2}
    values |= {"summary": "Promoted: no worse.", "metrics": {}, "seconds": {}, "corrections": 2, "trained_at": NOON}
    rule = RuleOutcome(rule="accuracy", outcome="passed", sentence="57 of 60 are right.", figures={"accuracy": 0.95})
    promotion = PromotionView(
        sequence=2,
        route="non_inferior",
        summary="Promoted: no worse.",
        verdict=[],
        frozen=False,
        requested_by=None,
        promoted_at=NOON,
    )
    learned = LearnedCorrection(
        image_id=IMAGE,
        revision=1,
        is_new=True,
        event_id=EVENT,
        label="grass",
        corrected_by="anna",
        corrected_at=NOON,
        reason="Seen.",
    )
    values |= {"verdict": [rule], "promotions": [promotion], "causes": [EVENT], "caused_by": [learned]}
    values |= {"learned": [learned], "new_corrections": 1, "parameters": {}}
    values |= {"served": [TimeInService(sequence=2, since=NOON, until=None)]}
    return ModelStory.model_validate(values | changes)


def test_a_model_says_what_led_to_it_its_rules_and_its_replicas() -> None:
    serving = ServingModel(
        version="fast-2", sequence=2, labels=["grass"], artefact_sha256="", loaded_at=NOON, replica="predictor-0"
    )
    text = "\n".join(explain_model(story(), [], [serving]))
    assert "fast-2 was made at 2026" in text
    assert f"because anna said grass of {IMAGE}" in text
    assert "It holds 2 corrections, 1 of them new. By (of the 1 shown): anna 1." in text
    assert "accuracy: passed. 57 of 60 are right." in text
    assert "and serves now (promotion 2). Promoted: no worse." in text
    assert "predictor-0 serves it since" in text
    assert "Its other causes" not in text


def test_a_full_model_says_who_requested_it() -> None:
    request = training_requested(reason="person", detail="the new camera", requested_by="olga")
    full = story(
        lane="full", parent=None, causes=[request.event_id], caused_by=[], served=[], summary="Rejected: worse."
    )
    text = "\n".join(explain_model(full, [request], []))
    assert "It was requested by olga (person): the new camera" in text
    assert "fast-2 never served: Rejected: worse." in text
    unknown = "\n".join(explain_model(full, [], []))
    assert f"Its other causes are the events {request.event_id}" in unknown


def test_an_answer_says_what_came_of_it() -> None:
    answer = prediction_logged(label="grass", probabilities={"dandelion": 0.2, "grass": 0.8}, model_version="fast-2")
    stored = ImageView.model_validate(image(IMAGE))
    later = entry(label_to="dandelion", corrected_by="anna", occurred_at=answer.occurred_at + timedelta(seconds=1))
    earlier = entry(occurred_at=answer.occurred_at - timedelta(seconds=1))
    text = "\n".join(explain_answer(answer, stored, [earlier, later], story()))
    assert "fast-2 answered grass" in text
    assert "grass 80.0%, dandelion 20.0%" in text
    assert text.count("Since then: anna said dandelion") == 1
    assert "serves now" in text
    alone = "\n".join(explain_answer(answer, None, [], None))
    assert "(no stored image)" in alone
    assert "backbone and head decided alone" in alone


def test_what_was_near_is_named_with_weight_and_person() -> None:
    said = explain_near(IMAGE, 0.934, [entry(revision=0), entry(corrected_by="anna")])
    assert said.startswith(f"Near was the corrected image {IMAGE}, with weight 0.93: anna said grass")
    assert "was not written down" in explain_near(IMAGE, None, [])


def test_a_revision_says_who_why_where_it_is_live_and_after_how_long() -> None:
    live = entry(label_from="dandelion", reason="Seen.", live_in="fast-2", live_at=NOON + timedelta(seconds=0.25))
    assert revision_sentence(live) == (
        f"labeler said grass instead of dandelion at {NOON:%Y-%m-%d %H:%M:%S} (Seen.); live in fast-2, 0.25 s later."
    )
    assert "no model in service follows it yet" in revision_sentence(entry())
    assert "another person was first" in revision_sentence(entry(state="superseded"))
    assert "set aside: it breaks others" in revision_sentence(entry(set_aside="it breaks others."))
    taken = entry(label_to=None, no_label="withdrawn", held_label="dandelion")
    assert "took a label back, so that dandelion holds" in revision_sentence(taken)
    assert "none of these" in revision_sentence(entry(label_to=None, no_label="none_of_these"))


def test_an_image_says_which_models_have_seen_it_and_how() -> None:
    holding = HoldingModel(version="fast-2", lane="fast", revision=1, trained_at=NOON, served_from=NOON)
    told = ImageStory(image_id=IMAGE, side="test", duplicates=[EVENT], near_duplicates=[], models=[holding], holding=3)
    seen = {"models": [{"version": "full-1", "side": "test", "label": "grass", "revision": 0}], "unread": ["full-0"]}
    answer = prediction_logged(label="grass", probabilities={"grass": 0.8, "dandelion": 0.2}, model_version="full-1")
    stored = ImageView.model_validate(image(IMAGE))
    text = "\n".join(explain_image(stored, [entry(revision=0), entry()], told, [answer], seen))
    assert "on the test side" in text
    assert "Revision 0: labeler brought it as grass" in text
    assert "full-1 answered grass (80.0%)" in text
    assert "full-1 was tested on it as grass (revision 0)." in text
    assert "Whether full-0 has seen it is not known" in text
    assert "The correction layers of 3 models hold it; the newest: fast-2 (revision 1)." in text
    assert f"the same bytes: {EVENT}." in text
