"""The traces of an image, a prediction or a model, drawn in the terminal."""

from dataclasses import asdict
from typing import Any

import httpx2
from rich.text import Text

from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.terminal.listing import Column, Listing, left_out
from pappus.terminal.output import Output
from pappus.traces.graph import Span, Trace
from pappus.traces.jaeger import Jaeger

WIDE_BAR, BAR, WIDE = 24, 12, 100
"""Characters of a bar in a terminal of WIDE columns or more, and in another."""
NO_JAEGER = "The address of Jaeger is not known (the local stack collects traces after `pappus up --observe`)"


async def trace(installation: Installation, output: Output, about: str, limit: int) -> None:
    """Draw the newest `limit` traces about something, and name those that led to them. Raises Refused if there is
    none."""
    url = installation.known("jaeger", NO_JAEGER)
    async with httpx2.AsyncClient(base_url=url) as http:
        keeper = Jaeger(http, installation.advice("jaeger"))
        found = await keeper.find(about, limit)
        if not found:
            raise Refused(
                f"Jaeger has no trace about {about}. It keeps the newest traces since `pappus up --observe`, and"
                " answers of the prediction API are traced in part: see PAPPUS_TRACE_ANSWERS_RATIO."
            )
        shown = found[-limit:]
        led_to = await keeper.follow_links(shown)
    for each in shown:
        output.show(trace_table(each, WIDE_BAR if output.progress.width >= WIDE else BAR))
        if each.orphans:
            output.say(f"The parents of {len(each.orphans)} spans are missing: not recorded, lost, or not ended.")
    for each in led_to:
        first = each.spans[0]
        output.say(f"Led to by {each.trace_id}: {first.service}, {first.name}.")
    output.note(left_out(len(found), len(shown), "traces, the newest"))
    output.give(
        {
            "traces": [_document(each) for each in shown],
            "led_to": [_document(each) for each in led_to],
            "more": len(found) > len(shown),
        }
    )


def _document(found: Trace) -> dict[str, Any]:
    return {**asdict(found), "orphans": len(found.orphans)}


def trace_table(found: Trace, bar: int = BAR) -> Listing:
    """Return one row per span: where, what, when and how long, drawn as a bar of at most so many characters."""
    began, whole = found.start, max(found.end - found.start, 1)
    table = Listing(
        Column("service", whole=True),
        "step",
        Column("at ms", whole=True, right=True),
        Column("took ms", whole=True, right=True),
        Column("", whole=True),
        title=f"{found.trace_id}: {len(found.spans)} spans in {len(found.services)} services, {whole / 1000:.1f} ms",
    )
    for depth, span in found.walk():
        table.add(
            span.service,
            Text("  " * depth + span.name, "red" if "error.type" in span.attributes else ""),
            f"{(span.start - began) / 1000:.1f}",
            f"{span.duration / 1000:.1f}",
            _bar(span, began, whole, bar),
        )
    return table


def _bar(span: Span, began: int, whole: int, width: int) -> str:
    first = min(width - 1, (span.start - began) * width // whole)
    length = max(1, span.duration * width // whole)
    return " " * first + "━" * min(length, width - first)
