"""The spans of a trace as a tree, with what is missing in it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHILD_OF = "CHILD_OF"


@dataclass(frozen=True, slots=True)
class Span:
    """One span. `service` names the process: of several of one service each has its own name. `start` is in
    microseconds since 1970, `duration` in microseconds. `parent` is None for the root; `links` are the ids of other
    traces that led to it."""

    trace_id: str
    span_id: str
    parent: str | None
    links: tuple[str, ...]
    service: str
    name: str
    start: int
    duration: int
    attributes: Mapping[str, str]

    @property
    def end(self) -> int:
        return self.start + self.duration


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace; `spans` are in the order of their start."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def start(self) -> int:
        """When it began, in microseconds since 1970."""
        return min(span.start for span in self.spans)

    @property
    def end(self) -> int:
        """When the last span ended, in microseconds since 1970."""
        return max(span.end for span in self.spans)

    @property
    def services(self) -> list[str]:
        """The services in it, in the order in which they took part."""
        return list(dict.fromkeys(span.service for span in self.spans))

    @property
    def links(self) -> list[str]:
        """The ids of the traces that led to this one."""
        return list(dict.fromkeys(link for span in self.spans for link in span.links))

    @property
    def orphans(self) -> list[Span]:
        """The spans whose parent is not in the trace: it was lost, or has not ended."""
        known = {span.span_id for span in self.spans}
        return [span for span in self.spans if span.parent is not None and span.parent not in known]

    def walk(self) -> Iterator[tuple[int, Span]]:
        """Give each span with its depth, parents first; orphans stand at the top."""
        children: dict[str | None, list[Span]] = {}
        lost = {span.span_id for span in self.orphans}
        for span in self.spans:
            children.setdefault(None if span.span_id in lost else span.parent, []).append(span)
        pending = [(0, span) for span in reversed(children.get(None, []))]
        while pending:
            depth, span = pending.pop()
            yield depth, span
            pending += [(depth + 1, child) for child in reversed(children.get(span.span_id, []))]


def read_trace(document: Mapping[str, Any]) -> Trace:
    """Return the trace in an answer of Jaeger's query API. Raises KeyError or TypeError if it is none."""
    services = {key: _name_of(process) for key, process in document["processes"].items()}
    spans = [_read_span(each, services) for each in document["spans"]]
    unique = {span.span_id: span for span in sorted(spans, key=lambda span: (span.start, -span.duration))}
    return Trace(str(document["traceID"]), tuple(unique.values()))


def _name_of(process: Mapping[str, Any]) -> str:
    tags = {tag["key"]: str(tag["value"]) for tag in process.get("tags", ())}
    return tags.get("service.instance.id", str(process["serviceName"]))


def _read_span(document: Mapping[str, Any], services: Mapping[str, str]) -> Span:
    own, parent, links = str(document["traceID"]), None, []
    references: Sequence[Mapping[str, Any]] = document.get("references", ())
    for reference in references:
        if reference["refType"] == CHILD_OF and reference["traceID"] == own:
            parent = str(reference["spanID"])
        else:
            links.append(str(reference["traceID"]))
    return Span(
        trace_id=own,
        span_id=str(document["spanID"]),
        parent=parent,
        links=tuple(links),
        service=services[document["processID"]],
        name=str(document["operationName"]),
        start=int(document["startTime"]),
        duration=int(document["duration"]),
        attributes={str(tag["key"]): str(tag["value"]) for tag in document.get("tags", ())},
    )
