"""Answers read in the names that people give the classes."""

import importlib
import json
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel

from shared.clients.answers import ImageView, Labels, ModelView, ShownPrediction
from shared.clients.browse import ImagePage
from shared.clients.classes import add_class, list_classes
from shared.clients.labeler import get_labels
from shared.clients.names import LABEL_FIELDS, in_names, read_in_names, with_names
from shared.clients.request import ApiRequest
from shared.contract.events import RuleOutcome, uuid_of
from shared.contract.label_set import in_current_names, quoted

NAMES = {"grass": "lawn", "dandelion": "dandelion"}
MODULES = ("answers", "browse", "bulk", "lineage", "model_history", "people", "similar", "withdrawals")


def test_labels_are_read_as_names_and_nothing_else_is() -> None:
    prediction = {
        "prediction_id": str(uuid_of("a")),
        "label": "grass",
        "probabilities": {"grass": 0.9, "dandelion": 0.1},
        "model_version": "grass",
    }
    request = ApiRequest("GET", "/x", ShownPrediction.model_validate_json)
    found = read_in_names(request, NAMES).read(json.dumps(prediction).encode())
    assert (found.label, found.probabilities) == ("lawn", {"lawn": 0.9, "dandelion": 0.1})
    assert found.model_version == "grass"


def test_facets_of_labels_are_read_as_names() -> None:
    facets = {"label": [{"value": "grass", "count": 3}], "by": [{"value": "grass", "count": 1}]}
    page = {"items": [], "start": 0, "next": None, "previous": None, "total": 0, "more": False, "facets": facets}
    found = read_in_names(ApiRequest("GET", "/images", ImagePage.model_validate_json), NAMES).read(
        json.dumps(page).encode()
    )
    assert found.facets is not None
    assert {name: [one.value for one in counts] for name, counts in found.facets.items()} == {
        "label": ["lawn"],
        "by": ["grass"],
    }


def test_without_another_name_the_request_stays_as_it_is() -> None:
    request = get_labels()
    assert read_in_names(request, {"grass": "grass"}) is request


def test_what_is_no_document_is_left_alone() -> None:
    picture = read_in_names(ApiRequest("GET", "/content", lambda body: body), NAMES).read(b"\xff\xd8grass")
    assert picture == b"\xff\xd8grass"


def test_the_classes_themselves_are_not_renamed() -> None:
    views = [{"id": "grass", "name": "lawn", "former": []}]
    assert in_names(views, NAMES) == views
    labels = {"labels": ["grass"], "names": NAMES, "model_name": "plants"}
    assert Labels.model_validate(in_names(labels, NAMES)).labels == ("grass",)
    assert list_classes().read(json.dumps(views).encode())[0].name == "lawn"
    assert add_class("moss").read(json.dumps({"event_id": str(uuid_of("b"))}).encode()).outcome == "accepted"


def test_a_sentence_is_read_in_names_only_where_it_quotes_a_label() -> None:
    sentence = f"{quoted('grass')} is no longer answered {quoted('moss')}: grass, grassy, 'grass'."
    assert (
        in_current_names(sentence, {"grass": "lawn"}) == "“lawn” is no longer answered “moss”: grass, grassy, 'grass'."
    )


def test_names_that_other_classes_had_as_labels_are_put_in_once() -> None:
    both = f"{quoted('a')} or {quoted('b')} or {quoted('a (b)')}"
    assert in_current_names(both, {"a": "b", "b": "c", "a (b)": "d.*"}) == "“b” or “c” or “d.*”"


def test_figures_and_names_of_rules_are_read_as_names() -> None:
    tested = RuleOutcome(rule="every_class_is_tested", outcome="passed", sentence="", figures={"grass": 4, "moss": 1})
    recall = RuleOutcome(rule="recall_grass", outcome="passed", sentence="", figures={"recall": 1, "grass": 1})
    assert dict(with_names(tested, NAMES).figures) == {"lawn": 4, "moss": 1}
    assert (with_names(recall, NAMES).rule, dict(with_names(recall, NAMES).figures)) == (
        "recall_lawn",
        {"recall": 1, "grass": 1},
    )
    drifted = {"figures": {"share_grass": 0.1, "confidence": 0.9}, "metrics": {"test_recall_grass": 1.0, "grass": 0.0}}
    assert in_names(drifted, NAMES) == {
        "figures": {"share_lawn": 0.1, "confidence": 0.9},
        "metrics": {"test_recall_lawn": 1.0, "grass": 0.0},
    }


def test_what_people_wrote_stays_as_they_wrote_it() -> None:
    written = {"reason": f"I see {quoted('grass')}.", "label": "grass"}
    assert in_names(written, NAMES) == {"reason": f"I see {quoted('grass')}.", "label": "lawn"}


def _label_like(model: type[BaseModel]) -> set[str]:
    """Return the fields of an answer that are texts and whose name speaks of a label."""
    hints = get_type_hints(model)
    texts = {name for name, hint in hints.items() if hint is str or str in get_args(hint)}
    return {name for name in texts if "label" in name and name not in ("no_label", "label_of", "labels")}


def test_each_field_of_an_answer_that_holds_a_label_is_known() -> None:
    found = set[str]()
    for name in MODULES:
        module: Any = importlib.import_module(f"shared.clients.{name}")
        answers = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, BaseModel)]
        for answer in answers:
            found |= _label_like(answer)
    assert found >= {"label", "shown_label"}
    assert found <= LABEL_FIELDS
    assert "label" in ImageView.model_fields
    assert "evidence" in ModelView.model_fields  # its classes have the field `label`, too
