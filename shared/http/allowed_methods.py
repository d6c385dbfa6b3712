"""Which methods a path answers: the framework asks the first route of a path only, and others may answer others."""

from collections.abc import Mapping
from http import HTTPMethod
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute, Match, Mount

ALLOW = "Allow"


class ExactPaths:
    """The paths that routes of an application name word by word. They are theirs alone: to another route, of the other
    methods, such a word would be the value of a parameter."""

    def __init__(self, app: FastAPI) -> None:
        self._routes: dict[str, list[RouteContext]] = {}
        for route in iter_route_contexts(app.routes):
            if route.path and route.methods and "{" not in route.path:
                self._routes.setdefault(route.path, []).append(route)

    def refused_by(self, path: str, method: str) -> RouteContext | None:
        """Return a route of a path whose routes do not answer a method; None if one does, or the path has none."""
        routes = self._routes.get(path, [])
        return None if not routes or method in self.methods(path) else routes[0]

    def methods(self, path: str) -> set[str]:
        """Return the methods of a path; none if no route names it."""
        return {method for route in self._routes.get(path, []) for method in route.methods or ()}


def allowed_methods(scope: Mapping[str, Any], refusal: Mapping[str, str] | None) -> str:
    """Return what `Allow` names in a 405: all methods that any route answers at the path of this request (RFC 9110,
    15.5.6), by their names. `refusal`: the headers of what refused it, whose `Allow` counts too: of files below a part
    of the path the routes do not know the methods."""
    if exact := ExactPaths(scope["app"]).methods(scope["path"]):
        return ", ".join(sorted(exact))
    named = dict(refusal or {}).get(ALLOW, "").split(",")
    found = {name.strip() for name in named if name.strip()}
    at = {"type": "http", "path": scope["path"], "root_path": scope.get("app_root_path", scope.get("root_path", ""))}
    for route in scope["app"].routes:
        if not isinstance(route, Mount) and _match(route, at, scope["method"]) is not Match.NONE:
            found |= {method for method in HTTPMethod if _match(route, at, method) is Match.FULL}
    return ", ".join(sorted(found))


def _match(route: BaseRoute, at: Mapping[str, Any], method: str) -> Match:
    return route.matches({**at, "method": method})[0]
