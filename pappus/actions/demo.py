"""The demo: the whole loop, told on the local stack or elsewhere."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pappus.actions.seed import choose_source, drawn_folder, serve_source
from pappus.demo.images import ImageSource
from pappus.demo.report import Report
from pappus.demo.scenario import DemoScenario
from pappus.demo.view import View
from pappus.errors import Refused
from pappus.installation.access import Installation
from pappus.stack import Stack
from pappus.stack.credentials import READER
from pappus.stack_client import RunningStack
from pappus.terminal.listing import Column, Listing
from pappus.terminal.output import Output
from pappus.terminal.progress import Progress


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the demo: its report, the view of it, what --images says, and where the report goes."""

    output: Output
    report: Report
    view: View
    images: str | None
    report_path: Path | None


def prepare_run(output: Output, images: str | None, report_path: Path | None) -> Run:
    """Return a run that has not begun. Raises Refused if its report could not be written at the end."""
    if report_path is not None and (
        report_path.is_dir() or not report_path.parent.is_dir() or not os.access(report_path.parent, os.W_OK)
    ):
        raise Refused(f"The report cannot be written to {report_path}: name a file in an existing folder.")
    report = Report()
    return Run(output, report, View(output.progress, report), images, report_path)


def tell_elsewhere(installation: Installation, run: Run) -> None:
    """Run the scenario on an installation that others started. It is left running."""

    async def tell() -> None:
        with run.view.stage("installation reached") as stage:
            await _reach(installation)
            stage.summary = f"Predictor at {installation.predictor}, labeler at {installation.labeler}"
        with drawn_folder(None) as drawn:
            source = await _chosen_source(installation, run, drawn)
            with serve_source(installation, source), run.view.shown():
                await DemoScenario(installation, source, run.report, run.view).run()
        run.report.addresses = _addresses(installation, run.report)

    with _finished(run):
        asyncio.run(tell())


def tell_locally(
    stack: Stack, run: Run, starting: Callable[[], AbstractContextManager[None]], exit_after: bool
) -> None:
    """Start the local stack and run the scenario on it. The start happens in the context of `starting`, unless the
    stack is stopped at the end (`exit_after`)."""
    try:
        with _finished(run):
            port = stack.ports()["demo-images"]
            with nullcontext() if exit_after else starting():
                _up(stack, port, run)
            running = RunningStack.find(stack.state)
            asyncio.run(_run_scenario(running, stack, run))
            if not exit_after:
                run.report.addresses = _addresses(running, run.report)
    finally:
        if exit_after:
            stack.down()


async def _reach(installation: Installation) -> None:
    """Try every address and login that the demo needs, before anything is changed. Raises Refused or ApiError."""
    async with installation.labeler_as("labeler"), installation.labeler_as("operator"):
        await installation.check_predictor()
    await installation.plants.count_labelled()


def _up(stack: Stack, port: int, run: Run) -> None:
    """Start the stack outside of asyncio, so that Ctrl-C ends the waiting at once."""
    with run.view.stage("stack up", shows_itself=True) as stage:
        with Progress(run.output.progress) as progress:
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
    run.output.say(f"Images: {source.description}.")
    return source


@contextmanager
def _finished(run: Run) -> Iterator[None]:
    """Show the report at the end, also of a demo that cannot go on."""
    try:
        yield
    finally:
        _finish(run)


def _finish(run: Run) -> None:
    """Print the table, the times until corrections were live, and the addresses."""
    report, output = run.report, run.output
    output.say("")
    output.show(report.as_table())
    if report.correction_to_live_seconds:
        spent = report.correction_to_live_seconds
        output.say(f"Correction to live on every replica: {median(spent):.2f} s median, {max(spent):.2f} s longest.")
    if report.addresses:
        table = Listing(Column("what", whole=True), "where")
        for name, address in report.addresses.items():
            table.add(name, address)
        output.show(table)
    output.give(report.as_json())
    if run.report_path is not None:
        run.report_path.write_text(json.dumps(report.as_json(), indent=2) + "\n")
        output.say(f"Report: {run.report_path}")


def _addresses(installation: Installation, report: Report) -> dict[str, str]:
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
        "What became of a correction": f"pappus why {report.corrected_image}" if report.corrected_image else "",
    }
    found = {name: address for name, address in pages.items() if address}
    return found | ({"What runs": "pappus status", "Stop it": "make down"} if local else {})
