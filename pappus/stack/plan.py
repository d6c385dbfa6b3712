"""The components of the stack, and which of them a command selects."""

from collections.abc import Iterable, Sequence

from pappus.stack.component import Component
from pappus.stack.context import StackContext
from pappus.stack.errors import StackError
from pappus.stack.jaeger import jaeger_component
from pappus.stack.kafka import kafka_component
from pappus.stack.mlflow import mlflow_component
from pappus.stack.postgres import postgres_components
from pappus.stack.prometheus import prometheus_component
from pappus.stack.s3 import s3_component
from pappus.stack.services import SERVICES, service_component
from pappus.stack.topics import topics_component


def all_components(context: StackContext) -> list[Component]:
    """Return every component, servers first."""
    servers = [
        kafka_component(context),
        *postgres_components(context),
        s3_component(context),
        mlflow_component(context),
    ]
    observers = [jaeger_component(context), prometheus_component(context)] if context.config.observe else []
    services = [service_component(service, context) for service in SERVICES]
    return [*servers, topics_component(context), *observers, *services]


def chosen(components: Sequence[Component], only: Iterable[str]) -> list[Component]:
    """Return the components whose name or group is in `only`, with those they need; all if `only` is empty.

    Raises:
        StackError: a word is neither a name nor a group.
    """
    words = set(only)
    by_name = {component.name: component for component in components}
    unknown = words - set(by_name) - {component.group for component in components}
    if unknown:
        raise StackError(
            f"There is no component {', '.join(sorted(unknown))}. Choose servers, services or: {', '.join(by_name)}."
        )
    names = {
        component.name for component in components if not words or component.name in words or component.group in words
    }
    pending = list(names)
    while pending:
        missing = set(by_name[pending.pop()].needs) - names
        names |= missing
        pending += missing
    return [component for component in components if component.name in names]
