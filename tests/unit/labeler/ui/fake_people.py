"""A fake of the labeler's routes about people."""

import json
from typing import Any

import httpx2

from shared.clients.people import NewPassword, PersonView, WorkDone
from shared.testing.events import NOON

PASSWORD = "w1Kq0tB8yVn3Xh5c"


class FakePeople:
    """The routes about people, in front of the other fakes."""

    def __init__(self) -> None:
        work = WorkDone(decided=1412, today=37, confirmed=21, overturned=2, seconds_each=2.41, last_at=NOON)
        self.accounts = {
            "anna": PersonView(name="anna", role="labeler", made_by=None, made_at=NOON, work=work),
            "nina": PersonView(name="nina", role="uploader", made_by="maria", made_at=NOON),
            "maria": PersonView(name="maria", role="admin", made_by="olga", made_at=NOON),
        }
        self.refusing = ""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.me = "anna"

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if request.method == "GET":
            found = self.accounts[self.me] if path == "/me" else list(self.accounts.values())
            shown = (
                [each.model_dump(mode="json") for each in found]
                if isinstance(found, list)
                else found.model_dump(mode="json")
            )
            return httpx2.Response(200, json=shown)
        body = json.loads(request.content)
        self.asked.append((path, body))
        if self.refusing:
            return httpx2.Response(409, json={"error": "name_taken", "detail": self.refusing})
        name = body.get("name", self.me)
        person = self.accounts.get(name) or PersonView(name=name, role="labeler", made_by="maria", made_at=NOON)
        changes: dict[str, Any] = {"role": body["role"]} if "role" in body else {}
        if path.endswith(("disable", "enable")):
            changes["disabled_at"] = NOON if path.endswith("disable") else None
        if path.endswith("join"):
            changes["issuer"] = "https://id.example.org"
        self.accounts[name] = person.model_copy(update=changes)
        shown_person = self.accounts[name]
        if path in ("/people", "/people/password"):
            shown_person = NewPassword(**dict(shown_person), password=PASSWORD)
        return httpx2.Response(200, json=shown_person.model_dump(mode="json"))
