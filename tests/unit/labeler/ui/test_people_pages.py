"""The pages People and Me: who sees what, and what a change says."""

from typing import Any

import httpx2
import pytest
from streamlit.testing.v1 import AppTest

from services.labeler.ui.api_clients import LabelerClient, PredictorClient
from services.labeler.ui.sessions.tab import Clients
from shared.clients.api import BlockingApi
from shared.clients.sign_on import LoginOptions
from shared.contract.roles import Role

from .fake_apis import FakeApis, session
from .fake_people import PASSWORD, FakePeople
from .fake_sign_on import FakeSignOn
from .page_driver import press, shown_text

pytestmark = pytest.mark.slow  # each test runs a whole page


def people_script() -> None:
    """Show the People page alone."""
    from services.labeler.ui.pages import app, people
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is not None:
        tab.clients().labeler.resume(current)
        app.guarded(people.page)


def me_script() -> None:
    """Show the Me page, or the login."""
    from services.labeler.ui.pages import app, login, me
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is None:
        login.page()
    else:
        tab.clients().labeler.resume(current)
        app.guarded(me.page)


@pytest.fixture
def people() -> FakePeople:
    return FakePeople()


def opened(script: Any, who: str, role: Role, people: FakePeople, apis: FakeApis) -> AppTest:
    """Return the page with this person logged in."""
    apis.people = people
    page = AppTest.from_function(script, default_timeout=20)
    page.session_state["clients"] = Clients(
        LabelerClient(BlockingApi("http://labeler", 5, httpx2.MockTransport(apis.labeler))),
        PredictorClient(BlockingApi("http://predictor", 5, httpx2.MockTransport(apis.predictor))),
    )
    page.session_state["session"] = session(who, role=role)
    return page.run()


def test_an_operator_reads_what_each_person_did_and_changes_nothing(people: FakePeople, apis: FakeApis) -> None:
    page = opened(people_script, "olga", "operator", people, apis)
    text = shown_text(page)

    assert "**anna** · labeler" in text
    assert "1,412 decided, 37 of them in the last day; 2.4 s for each; others agreed with 21 of 23" in text
    assert "users file" in text
    assert "added by maria" in text
    assert list(page.button) == []


def test_an_admin_adds_a_person_and_sees_the_password_until_they_have_it(people: FakePeople, apis: FakeApis) -> None:
    page = opened(people_script, "maria", "admin", people, apis)
    page.text_input[0].input("otto")
    press(page, "Add")

    assert people.asked == [("/people", {"name": "otto", "role": "labeler"})]
    assert [code.value for code in page.code] == [PASSWORD]
    page.run()
    assert [code.value for code in page.code] == [PASSWORD]
    assert page.text_input[0].value == ""
    press(page, "I have it")
    assert not page.code


def test_a_refused_name_stays_in_the_field_with_the_reason(people: FakePeople, apis: FakeApis) -> None:
    people.refusing = "There is an account nina already. Change it, or choose another name."
    page = opened(people_script, "maria", "admin", people, apis)
    page.text_input[0].input("nina")
    press(page, "Add")

    assert people.refusing in shown_text(page)
    assert page.text_input[0].value == "nina"
    assert not page.code


def test_an_admin_joins_an_account_with_the_provider(people: FakePeople, apis: FakeApis) -> None:
    apis.sign_on = FakeSignOn(options=LoginOptions(provider="Keycloak"))
    page = opened(people_script, "maria", "admin", people, apis)
    page.text_input(key="subject-nina").input(" person-1 ")
    page.button(key="join-nina").click().run()

    assert people.asked == [("/people/join", {"name": "nina", "subject": "person-1"})]
    assert "nina logs in with https" in shown_text(page)
    assert "password-nina" not in {each.key for each in page.button}


def test_an_admin_changes_role_password_and_entry(people: FakePeople, apis: FakeApis) -> None:
    page = opened(people_script, "maria", "admin", people, apis)
    page.selectbox(key="role-nina").select("operator").run()
    page.button(key="set-nina").click().run()
    page.button(key="password-nina").click().run()
    assert [code.value for code in page.code] == [PASSWORD]
    page.button(key="out-nina").click().run()
    assert "logged out everywhere" in shown_text(page)
    page.button(key="in-nina").click().run()

    assert people.asked == [
        ("/people/role", {"name": "nina", "role": "operator"}),
        ("/people/password", {"name": "nina"}),
        ("/people/disable", {"name": "nina"}),
        ("/people/enable", {"name": "nina"}),
    ]
    assert not [button for button in page.button if button.key in ("out-anna", "out-maria")]


def test_a_password_of_the_users_file_is_changed_there(people: FakePeople, apis: FakeApis) -> None:
    page = opened(me_script, "anna", "labeler", people, apis)

    assert "in the users file" in shown_text(page)
    assert not page.text_input


def test_a_new_password_has_to_be_typed_twice_and_leads_to_the_login(people: FakePeople, apis: FakeApis) -> None:
    people.me = "nina"
    page = opened(me_script, "nina", "uploader", people, apis)
    for field, text in zip(page.text_input, ("old password", "a new password", "a new passwort"), strict=True):
        field.input(text)
    press(page, "Change it")
    assert "not the same in both fields" in shown_text(page)
    assert people.asked == []

    page.text_input[2].input("a new password")
    press(page, "Change it")
    body = {"password": "old password", "new_password": "a new password"}
    assert people.asked == [("/me/password", body)]
    assert "Your password is changed" in shown_text(page)
