"""Which parts make up the stack, and which of them a command means."""

from collections.abc import Iterable, Sequence

from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.kafka import kafka_part
from pappus.stack.mlflow import mlflow_part
from pappus.stack.part import Part
from pappus.stack.postgres import postgres_part
from pappus.stack.s3 import s3_part
from pappus.stack.services import SERVICES, service_part
from pappus.stack.topics import topics_part


def all_parts(context: StackContext) -> list[Part]:
    """Everything, servers first."""
    servers = [build(context) for build in (kafka_part, postgres_part, s3_part, mlflow_part)]
    return [*servers, topics_part(context), *(service_part(service, context) for service in SERVICES)]


def chosen(parts: Sequence[Part], only: Iterable[str]) -> list[Part]:
    """Those of `parts` whose name or group is in `only`, with all they need; everything if `only` is empty.

    Raises StackError for a word that is neither a name nor a group.
    """
    words = set(only)
    by_name = {part.name: part for part in parts}
    unknown = words - set(by_name) - {part.group for part in parts}
    if unknown:
        raise StackError(
            f"There is no part called {', '.join(sorted(unknown))}. Choose servers, services or: {', '.join(by_name)}."
        )
    names = {part.name for part in parts if not words or part.name in words or part.group in words}
    pending = list(names)
    while pending:
        missing = set(by_name[pending.pop()].needs) - names
        names |= missing
        pending += missing
    return [part for part in parts if part.name in names]
