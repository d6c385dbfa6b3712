"""Sessions and roles, and HTTP while the log is unavailable."""

from datetime import timedelta

import httpx2
import pytest

from services.labeler.accounts.sessions import issue_token
from services.labeler.settings import LabelerSettings
from shared.contract.events import LabelCorrected
from shared.http.problems import ProblemDocument
from shared.testing import FixedClock, eventually, image_stored

from .conftest import PASSWORDS, Labeler


@pytest.mark.parametrize("path", ["/labels", "/review", "/models", "/models/champion", "/images?sha256=" + "0" * 64])
async def test_without_a_session_nothing_is_shown(labeler: Labeler, path: str) -> None:
    async with labeler.client() as client:
        answer = await client.get(path)

    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorised")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("unknown", PASSWORDS["anna"]), ("anna", "")])
@pytest.mark.usefixtures("people")
async def test_a_wrong_name_or_password_is_401_and_does_not_say_which(
    labeler: Labeler, name: str, password: str
) -> None:
    async with labeler.client() as client:
        answer = await client.post("/login", json={"name": name, "password": password})

    assert (answer.status_code, answer.json()["detail"]) == (
        401,
        "The name or the password is wrong. Check both and try again.",
    )


@pytest.mark.usefixtures("people")
async def test_a_session_names_its_user_and_expires(labeler: Labeler, settings: LabelerSettings) -> None:
    async with labeler.client() as client:
        session = (await client.post("/login", json={"name": "olga", "password": PASSWORDS["olga"]})).json()
    assert (session["name"], session["role"]) == ("olga", "operator")
    labeler.tokens["olga"] = session["token"]

    async with labeler.client("olga") as client:
        before = await client.get("/labels")
        labeler.clock.move(timedelta(hours=settings.session_hours).total_seconds())
        answer = await client.get("/labels")

    names = {"dandelion": "dandelion", "grass": "grass"}
    assert before.json() == {"labels": ["dandelion", "grass"], "names": names, "model_name": "plants"}

    assert (answer.status_code, answer.json()["detail"]) == (401, "The session has ended. Log in again.")


async def test_a_token_signed_with_another_secret_is_refused(labeler: Labeler) -> None:
    token, _ = issue_token("olga", "another secret of thirty-two bytes!", FixedClock()(), timedelta(1))
    labeler.tokens["olga"] = token

    async with labeler.client("olga") as client:
        assert (await client.get("/labels")).status_code == 401


async def test_reading_works_while_the_log_is_down_and_health_says_so(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    labeler.event_log.away = True

    shown = await labeler.get(f"/images/{stored.image_id}")
    refused = await labeler.correct("anna", stored.image_id, "grass", 0)
    await eventually(lambda: not labeler.health.ok)
    async with labeler.client() as client:
        statuses = {path: (await client.get(path)).status_code for path in ("/livez", "/readyz", "/health", "/metrics")}

    assert shown["state"] == "stored"
    assert (refused.status_code, refused.json()["error"]) == (503, "unavailable")
    assert statuses == {"/livez": 200, "/readyz": 200, "/health": 503, "/metrics": 200}
    labeler.event_log.away = False
    assert (await labeler.correct("anna", stored.image_id, "grass", 0)).status_code == 200
    assert len(labeler.event_log.events(LabelCorrected)) == 1


async def test_commands_are_counted_by_outcome(labeler: Labeler) -> None:
    stored = image_stored()
    await labeler.publish(stored)
    await labeler.correct("anna", stored.image_id, "grass", 0)
    await labeler.correct("berta", stored.image_id, "grass", 0)

    async with labeler.client() as client:
        text = (await client.get("/metrics")).text

    assert 'pappus_commands_total{command="correct",outcome="applied"}' in text
    assert 'pappus_commands_total{command="correct",outcome="superseded"}' in text


async def test_malformed_requests_get_problem_documents(labeler: Labeler) -> None:
    async with labeler.client("anna") as client:
        answers: list[httpx2.Response] = [
            await client.get("/images/not-a-uuid"),
            await client.get("/nowhere"),
            await client.delete("/labels"),
            await client.post("/login", content=b"{", headers={"Content-Type": "application/json"}),
            await client.post("/login", json={"name": "a\x00b", "password": "x"}),
            await client.post("/images", content=b"x", headers={"Content-Type": "multipart/form-data"}),
        ]

    assert [answer.status_code for answer in answers] == [422, 404, 405, 422, 422, 400]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert all(set(answer.json()) == set(ProblemDocument.model_fields) for answer in answers)
