"""How people log in with a provider: what the labeler's API answers about it, and the requests."""

from typing import Literal

from shared.clients.answers import Body, Session
from shared.clients.request import ApiRequest


class LoginOptions(Body):
    """How people may log in here. `provider`: as the button calls it; None: with passwords only. `passwords`: who may
    log in with one."""

    provider: str | None = None
    passwords: Literal["everyone", "admins", "off"] = "everyone"


class BegunLogin(Body):
    """A login under way. `address`: where at the provider the browser goes; `login`: what it keeps until it is back."""

    address: str
    login: str


def get_login_options() -> ApiRequest[LoginOptions]:
    """Request how people may log in."""
    return ApiRequest("GET", "/login/options", LoginOptions.model_validate_json)


def begin_login() -> ApiRequest[BegunLogin]:
    """Begin a login with the provider."""
    return ApiRequest("POST", "/login/provider", BegunLogin.model_validate_json)


def finish_login(login: str, state: str, code: str = "", error: str = "", iss: str = "") -> ApiRequest[Session]:
    """Finish it with what the browser brings back, which counts once."""
    body = {"login": login, "state": state, "code": code, "error": error, "iss": iss}
    return ApiRequest("POST", "/login/provider/answer", Session.model_validate_json, json=body)
