"""A fake of the labeler's classes as the pages see them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx2

from services.labeler.decisions import label_sets
from shared.clients.classes import ClassChanged, ClassView
from shared.contract.label_set import LabelSet, configured


@dataclass
class FakeClasses:
    """The classes that were changed; None: those of the configuration. `reasons` are those that were given."""

    changed: LabelSet | None = None
    reasons: list[str] = field(default_factory=list)

    def of(self, labels: Sequence[str]) -> LabelSet:
        """Return the classes of an installation that began with these labels."""
        return self.changed or configured(labels)

    def labels(self, labels: Sequence[str]) -> httpx2.Response:
        """Answer GET /labels."""
        now = self.of(labels)
        return httpx2.Response(200, json={"labels": now.labels, "names": dict(now.names), "model_name": "plants"})

    def answer(self, request: httpx2.Request, labels: Sequence[str]) -> httpx2.Response:
        """Answer a request below /classes."""
        now = self.of(labels)
        if request.method == "GET":
            views = [ClassView(**one.model_dump(), images=3, model="learned").model_dump() for one in now.classes]
            return httpx2.Response(200, json=views)
        body = json.loads(request.content)
        self.reasons.append(body["reason"])
        try:
            if request.method == "POST":
                one = label_sets.add_class(now, body["name"])
            else:
                label = now.label_of(unquote(request.url.raw_path.decode().split("/")[-1]))
                [before] = [each for each in now.classes if each.id == label]
                one = label_sets.rename_class(now, before, body["name"])
        except label_sets.Unfit as unfit:
            return httpx2.Response(422, json={"error": "class_unfit", "detail": str(unfit)})
        self.changed = LabelSet(label_sets.with_class(now, one), now.revision + 1)
        done = ClassChanged(id=one.id, name=one.name, revision=self.changed.revision)
        return httpx2.Response(200, json=done.model_dump(mode="json"))
