"""`pappus trace`: what happened to an image, a prediction or a model, in every service, drawn in the terminal."""

import json
from dataclasses import asdict
from typing import Annotated

import httpx2
import typer
from rich.table import Column, Table
from rich.text import Text

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.screen import console
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.traces.graph import Span, Trace
from pappus.traces.jaeger import Jaeger

BAR = 24
SHOWN = 10
NO_JAEGER = "The address of Jaeger is not known (the local stack collects traces after `pappus up --observe`)"


@about_installation
def trace(
    chosen: Chosen,
    about: Annotated[
        str, typer.Argument(help="An image id, a prediction id, an event id, a model version, or a trace id.")
    ],
    jaeger: Annotated[str | None, typer.Option(metavar="URL", help="Jaeger, if it is not that of the stack.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many traces to show, the newest.")] = SHOWN,
) -> None:
    """Draw the traces of something: each step in each service, and how long it took."""

    async def work(installation: Installation) -> None:
        url = installation.known("jaeger", NO_JAEGER)
        async with httpx2.AsyncClient(base_url=url) as http:
            keeper = Jaeger(http, installation.advice("jaeger"))
            found = await keeper.find(about)
            if not found:
                raise Refused(
                    f"Jaeger has no trace about {about}. It keeps the newest traces only, and answers of the prediction"
                    " API are traced in part: see PAPPUS_TRACE_ANSWERS_RATIO."
                )
            led_to = await keeper.follow_links(found)
        if as_json:
            documents = [{**asdict(each), "orphans": len(each.orphans)} for each in [*led_to, *found]]
            typer.echo(json.dumps(documents, indent=2))
            return
        _draw(found[-limit:], led_to)
        if len(found) > limit:
            console.print(f"{len(found) - limit} older traces are not shown: --limit {len(found)}.")

    chosen.also(jaeger=jaeger).attempt(work)


def _draw(traces: list[Trace], led_to: list[Trace]) -> None:
    for each in traces:
        console.print(_table(each))
        if each.orphans:
            console.print(f"The parents of {len(each.orphans)} spans are missing: not recorded, lost, or not ended.")
    for each in led_to:
        first = each.spans[0]
        console.print(f"Led to by {each.trace_id}: {first.service}, {first.name}.", highlight=False, soft_wrap=True)


def _table(found: Trace) -> Table:
    began, whole = found.start, max(found.end - found.start, 1)
    title = f"{found.trace_id}: {len(found.spans)} spans in {len(found.services)} services, {whole / 1000:.1f} ms"
    table = Table(
        Column("service", no_wrap=True),
        Column("step", overflow="fold"),
        Column("at ms", justify="right"),
        Column("took ms", justify="right"),
        Column("", no_wrap=True, width=BAR),
        title=title,
        box=None,
        pad_edge=False,
    )
    for depth, span in found.walk():
        table.add_row(
            span.service,
            Text("  " * depth + span.name, "red" if "error.type" in span.attributes else ""),
            f"{(span.start - began) / 1000:.1f}",
            f"{span.duration / 1000:.1f}",
            _bar(span, began, whole),
        )
    return table


def _bar(span: Span, began: int, whole: int) -> str:
    first = min(BAR - 1, (span.start - began) * BAR // whole)
    length = max(1, span.duration * BAR // whole)
    return " " * first + "━" * min(length, BAR - first)
