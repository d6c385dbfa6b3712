"""`pappus demo`: the whole loop, unattended."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.table import Table

from pappus.commands.chosen import Chosen, about_installation
from pappus.commands.options import announce_downloads, in_one_line, refusals, starting
from pappus.commands.progress import Progress
from pappus.commands.screen import console
from pappus.commands.seed import (
    ImagesOption,
    ServeAsOption,
    ServeOnOption,
    choose_source,
    drawn_folder,
    serve_source,
)
from pappus.demo.images import ImageSource
from pappus.demo.report import Report
from pappus.demo.scenario import DemoScenario
from pappus.demo.view import View
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.stack import Stack
from pappus.stack.credentials import READER
from pappus.stack_client import RunningStack


@about_installation
def demo(
    chosen: Chosen,
    images: ImagesOption = None,
    report_path: Annotated[Path | None, typer.Option("--report", help="Write the table as JSON to this file.")] = None,
    exit_after: Annotated[bool, typer.Option("--exit", help="Stop the local stack at the end.")] = False,
    serve_on: ServeOnOption = None,
    serve_as: ServeAsOption = None,
) -> None:
    """Run the whole loop unattended: images, a model, predictions, corrections, promotion, hot reload, a rollback."""
    report = Report()
    run = Run(report, View(console, report), images)
    with in_one_line():
        _refuse_report(report_path)
        installation = chosen.also(serve_on=serve_on, serve_as=serve_as).elsewhere()
        if installation is not None and exit_after:
            raise Refused("--exit stops the local stack, and another installation is named: leave it out.")
        if installation is not None:
            with _finished(report, report_path):
                asyncio.run(_tell_elsewhere(installation, run))
            return
    with refusals(chosen.state):
        stack = Stack(chosen.state)
        try:
            with _finished(report, report_path):
                _tell_locally(stack, run, exit_after)
        finally:
            if exit_after:
                stack.down()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the demo: its report, the view of it, and what --images says."""

    report: Report
    view: View
    images: str | None


async def _tell_elsewhere(installation: Installation, run: Run) -> None:
    """Run the scenario on an installation that others started. It is left running."""
    with run.view.stage("installation reached") as stage:
        await _reach(installation)
        stage.summary = f"Predictor at {installation.predictor}, labeler at {installation.labeler}"
    with drawn_folder(None) as drawn:
        source = await _chosen_source(installation, run, drawn)
        with serve_source(installation, source), run.view.shown():
            await DemoScenario(installation, source, run.report, run.view).run()
    run.report.addresses = _addresses(installation)


async def _reach(installation: Installation) -> None:
    """Try every address and login that the demo needs, before anything is changed. Raises Refused or ApiError."""
    async with installation.labeler_as("labeler"), installation.labeler_as("operator"):
        await installation.check_predictor()
    await installation.plants.count_labelled()


def _tell_locally(stack: Stack, run: Run, exit_after: bool) -> None:
    """Start the local stack and run the scenario on it."""
    port = stack.ports()["demo-images"]
    with nullcontext() if exit_after else starting():
        _up(stack, port, run.view)
    running = RunningStack.find(stack.state)
    asyncio.run(_run_scenario(running, stack, run))
    if not exit_after:
        run.report.addresses = _addresses(running)


def _refuse_report(report_path: Path | None) -> None:
    """Raise Refused, before anything starts, if the report could not be written at the end."""
    if report_path is None:
        return
    if report_path.is_dir() or not report_path.parent.is_dir() or not os.access(report_path.parent, os.W_OK):
        raise Refused(f"The report cannot be written to {report_path}: name a file in an existing folder.")


def _up(stack: Stack, port: int, view: View) -> None:
    """Start the stack outside of asyncio, so that Ctrl-C ends the waiting at once."""
    announce_downloads(stack)
    with view.stage("stack up") as stage:
        with Progress(console) as progress:
            stack.up(lent_hosts=[f"127.0.0.1:{port}"], watch=progress.show)
        stage.summary = "Kafka, PostgreSQL, S3, MLflow and all services"


async def _run_scenario(running: RunningStack, stack: Stack, run: Run) -> None:
    with drawn_folder(stack.state) as drawn:
        source = await _chosen_source(running, run, drawn)
    try:
        with serve_source(running, source), run.view.shown():
            await DemoScenario(running, source, run.report, run.view).run()
    finally:
        if "stored" in run.report.figures:  # else images are missing: a row that is refused is refused for good
            await asyncio.to_thread(stack.take_back_hosts)


async def _chosen_source(installation: Installation, run: Run, drawn: Path) -> ImageSource:
    source = await choose_source(installation, run.images, drawn)
    run.report.images = source.description
    console.print(f"Images: {source.description}.", highlight=False, soft_wrap=True)
    return source


@contextmanager
def _finished(report: Report, report_path: Path | None) -> Iterator[None]:
    """Print the report at the end, also of a demo that cannot go on."""
    try:
        yield
    finally:
        _finish(report, report_path)


def _finish(report: Report, report_path: Path | None) -> None:
    """Print the table, the times until corrections were live, and the addresses."""
    console.print()
    console.print(report.as_table())
    if report.correction_to_live_seconds:
        spent = report.correction_to_live_seconds
        console.print(
            f"Correction to live on every replica: {median(spent):.2f} s median, {max(spent):.2f} s longest.",
            highlight=False,
        )
    if report.addresses:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, address in report.addresses.items():
            table.add_row(name, address)
        console.print(table)
    if report_path is not None:
        report_path.write_text(json.dumps(report.as_json(), indent=2) + "\n")
        console.print(f"Report: {report_path}", highlight=False)


def _addresses(installation: Installation) -> dict[str, str]:
    """Return where to go on. The local stack's generated password is shown, that of another installation is not."""
    local = isinstance(installation, RunningStack)
    login = installation.logins["labeler"]
    known = f"log in as {login.name} / {login.password}" if local else f"log in as {login.name}"
    mlflow = installation.mlflow
    if isinstance(installation, RunningStack):
        mlflow += f"  (log in as {READER} / {installation.mlflow_password})"
    pages = {
        "Upload, review, correct": f"{installation.ui}  ({known})" if installation.ui else "",
        "Prediction API": f"{installation.predictor}/docs",
        "Labeling API": f"{installation.labeler}/docs",
        "MLflow": mlflow,
    }
    found = {name: address for name, address in pages.items() if address}
    return found | ({"What runs": "pappus status", "Stop it": "make down"} if local else {})
