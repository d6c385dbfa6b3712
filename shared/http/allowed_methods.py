"""Which methods a path answers: the framework asks the first route of a path only, and others may answer others."""

from collections.abc import Iterable, Mapping
from http import HTTPMethod
from typing import Any

from starlette.routing import BaseRoute, Match, Mount

ALLOW = "Allow"


def allowed_methods(scope: Mapping[str, Any], refusal: Mapping[str, str] | None) -> str:
    """Return what `Allow` names in a 405: all methods that any route answers at the path of this request (RFC 9110,
    15.5.6), by their names. `refusal`: the headers of what refused it, whose `Allow` counts too: of files below a part
    of the path the routes do not know the methods."""
    named = dict(refusal or {}).get(ALLOW, "").split(",")
    found = {name.strip() for name in named if name.strip()}
    at = {"type": "http", "path": scope["path"], "root_path": scope.get("app_root_path", scope.get("root_path", ""))}
    routes: Iterable[BaseRoute] = scope["app"].routes
    for route in routes:
        if not isinstance(route, Mount) and _match(route, at, scope["method"]) is not Match.NONE:
            found |= {method for method in HTTPMethod if _match(route, at, method) is Match.FULL}
    return ", ".join(sorted(found))


def _match(route: BaseRoute, at: Mapping[str, Any], method: str) -> Match:
    return route.matches({**at, "method": method})[0]
