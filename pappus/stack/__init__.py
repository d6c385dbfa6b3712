"""The Docker-free stack: real servers and all services as supervised processes on 127.0.0.1, state in one folder."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pappus.stack.errors import StackError
    from pappus.stack.stack import Stack
    from pappus.stack.testing import LocalServers, Servers, running_servers

__all__ = ["LocalServers", "Servers", "Stack", "StackError", "running_servers"]

_HOMES = {
    "LocalServers": "testing",
    "Servers": "testing",
    "Stack": "stack",
    "StackError": "errors",
    "running_servers": "testing",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only now: the clients of the servers take half a second."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
