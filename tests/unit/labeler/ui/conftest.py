"""Fixtures: the pages, connected to fake APIs."""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import services.labeler.ui
from services.labeler.ui.api_clients import LabelerClient, PredictorClient
from services.labeler.ui.sessions.tab import Clients
from shared.clients.api import BlockingApi

from .fake_apis import FakeApis, session

APP = Path(services.labeler.ui.__file__).parent / "pages" / "app.py"


@pytest.fixture(scope="session", autouse=True)
def components_scanned_once() -> Iterator[None]:
    """Each AppTest reads the metadata of every installed package in search of components: 95 % of the time of a test.
    The packages do not change during a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            manifest_scanner, "scan_component_manifests", functools.cache(manifest_scanner.scan_component_manifests)
        )
        yield


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Restore `__main__`, which AppTest replaces by the page: a process that a later test spawns would run the page."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def apis() -> FakeApis:
    """The fake APIs."""
    return FakeApis()


@pytest.fixture
def clients(apis: FakeApis) -> Clients:
    """Clients of the fake APIs."""
    return Clients(
        LabelerClient(BlockingApi("http://labeler", 5, httpx2.MockTransport(apis.labeler))),
        PredictorClient(BlockingApi("http://predictor", 5, httpx2.MockTransport(apis.predictor))),
    )


def review_script() -> None:
    """Show the review page alone: a page that is a function cannot be switched to in a test."""
    from services.labeler.ui.pages import app, login, review
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is None:
        login.page()
    else:
        tab.clients().labeler.resume(current)
        app.guarded(review.page)


def quarantine_script() -> None:
    """Show the quarantine page alone."""
    from services.labeler.ui.pages import app, quarantine
    from services.labeler.ui.sessions import tab

    if (current := tab.session()) is not None:
        tab.clients().labeler.resume(current)
        app.guarded(quarantine.page)


@pytest.fixture
def quarantine_page(clients: Clients) -> AppTest:
    """The quarantine page with olga, an operator, logged in."""
    page = AppTest.from_function(quarantine_script, default_timeout=20)
    page.session_state["clients"] = clients
    page.session_state["session"] = session("olga")
    return page


@pytest.fixture
def review_page(clients: Clients) -> AppTest:
    """The review page with anna logged in."""
    page = AppTest.from_function(review_script, default_timeout=20)
    page.session_state["clients"] = clients
    page.session_state["session"] = session()
    return page


@pytest.fixture
def logged_out(clients: Clients) -> AppTest:
    """The pages before a login."""
    page = AppTest.from_file(str(APP), default_timeout=20)
    page.session_state["clients"] = clients
    return page


@pytest.fixture
def anna(logged_out: AppTest) -> AppTest:
    """The pages with anna logged in."""
    logged_out.session_state["session"] = session()
    return logged_out
