"""The Docker-free stack: real servers and all services as supervised processes on 127.0.0.1, state in one folder."""

from pappus.stack.errors import StackError
from pappus.stack.stack import Stack
from pappus.stack.testing import LocalServers, Servers, running_servers

__all__ = ["LocalServers", "Servers", "Stack", "StackError", "running_servers"]
