"""Answers in the names that people give the classes now. Pure.

APIs answer with labels, which identify classes for good; who shows an answer to people puts the names in.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from shared.clients.request import ApiRequest
from shared.contract.label_set import in_current_names

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

LABEL_FIELDS = frozenset(
    ("label", "label_from", "label_to", "shown_label", "held_label", "data_set_label", "label_without")
)
"""The fields of answers that hold the label of a class; `probabilities` has labels as its keys."""
SENTENCE_FIELDS = frozenset(("sentence", "summary", "set_aside"))
"""The fields that hold a sentence of the gate, in which labels are quoted; what people wrote is left alone."""
_OF_CLASSES = ("every_class_is_tested", "classes")
"""The rules of the gate whose figures have labels as their names."""
_FIGURE_OF_LABEL = ("recall_", "precision_", "share_", "expected_share_", "test_recall_", "test_precision_")
"""What the name of a figure begins with that ends with a label."""


def read_in_names(request: ApiRequest[T], names: Mapping[str, str]) -> ApiRequest[T]:
    """Return a request whose answer is read with `names` in the place of labels: for people, who know a class by its
    name of now. The API takes both."""
    renamed = changed_names(names)
    if not renamed:
        return request

    def read(body: bytes) -> T:
        if body[:1] not in (b"{", b"["):
            return request.read(body)
        return request.read(json.dumps(in_names(json.loads(body), renamed)).encode())

    return replace(request, read=read)


def changed_names(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names that are not the labels themselves, by label."""
    return {label: name for label, name in names.items() if name != label}


def with_names(answer: M, names: Mapping[str, str]) -> M:
    """Return an answer, or a part of one, with `names` in the place of labels."""
    renamed = changed_names(names)
    return type(answer).model_validate(in_names(answer.model_dump(mode="json"), renamed)) if renamed else answer


def in_names(found: Any, names: Mapping[str, str]) -> Any:
    """Return a JSON document with `names` in the place of labels."""
    if isinstance(found, list):
        return [in_names(each, names) for each in found]
    if not isinstance(found, dict):
        return found
    read = {field: _in_names(field, value, names) for field, value in found.items()}
    return _rule_in_names(read, names) if isinstance(found.get("rule"), str) else read


def _rule_in_names(rule: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return one rule of a verdict: `recall_<label>` has a label in its name, some have labels as names of figures."""
    if rule["rule"] in _OF_CLASSES and isinstance(rule.get("figures"), dict):
        rule |= {"figures": {names.get(label, label): value for label, value in rule["figures"].items()}}
    return rule | {"rule": _figure_in_names(rule["rule"], names)}


def _figure_in_names(figure: str, names: Mapping[str, str]) -> str:
    for begin in _FIGURE_OF_LABEL:
        label = figure.removeprefix(begin)
        if figure.startswith(begin) and label in names:
            return begin + names[label]
    return figure


def _in_names(field: str, value: Any, names: Mapping[str, str]) -> Any:
    if field in LABEL_FIELDS and isinstance(value, str):
        return names.get(value, value)
    if field == "probabilities" and isinstance(value, dict):
        return {names.get(label, label): share for label, share in value.items()}
    if field in SENTENCE_FIELDS and isinstance(value, str):
        return in_current_names(value, names)
    if field in ("figures", "metrics") and isinstance(value, dict):
        return {_figure_in_names(figure, names): number for figure, number in value.items()}
    if field == "facets" and isinstance(value, dict):
        return value | {
            name: [count | {"value": names.get(count["value"], count["value"])} for count in value[name]]
            for name in ("label", "predicted")
            if name in value
        }
    return in_names(value, names)
