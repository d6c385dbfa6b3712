"""Pages over APIs that are played."""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

import services.labeler.ui
from services.labeler.ui.clients import LabelerClient, PredictorClient
from services.labeler.ui.state import Clients

from .fake_streamlit import Played, session

APP = Path(services.labeler.ui.__file__).with_name("app.py")


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
    """AppTest puts the page in the place of `__main__` and leaves it there; a process that a later test spawns would
    run the page."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def played() -> Played:
    """The APIs."""
    return Played()


@pytest.fixture
def clients(played: Played) -> Clients:
    """Clients of the APIs that are played."""
    return Clients(
        LabelerClient(httpx2.Client(base_url="http://labeler", transport=httpx2.MockTransport(played.labeler))),
        PredictorClient(httpx2.Client(base_url="http://predictor", transport=httpx2.MockTransport(played.predictor))),
    )


def review_script() -> None:
    """The review page alone: a page that is a function cannot be switched to in a test."""
    from services.labeler.ui import app, login, review
    from services.labeler.ui.state import clients
    from services.labeler.ui.state import session as who_is_there

    if (who := who_is_there()) is None:
        login.page()
    else:
        clients().labeler.resume(who)
        app.guarded(review.page)


@pytest.fixture
def desk(clients: Clients) -> AppTest:
    """The review page of anna."""
    page = AppTest.from_function(review_script, default_timeout=20)
    page.session_state["clients"] = clients
    page.session_state["session"] = session()
    return page


@pytest.fixture
def stranger(clients: Clients) -> AppTest:
    """The pages before anybody logged in."""
    page = AppTest.from_file(str(APP), default_timeout=20)
    page.session_state["clients"] = clients
    return page


@pytest.fixture
def anna(stranger: AppTest) -> AppTest:
    """The pages of anna."""
    stranger.session_state["session"] = session()
    return stranger
