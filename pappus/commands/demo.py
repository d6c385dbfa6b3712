"""`pappus demo`: the whole loop, unattended."""

import asyncio
import json
import os
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.table import Table

from pappus.commands.options import StateOption, announce_downloads, refusals, starting, state_folder
from pappus.commands.progress import Progress
from pappus.commands.screen import console
from pappus.commands.seed import ImagesOption, choose_source
from pappus.demo.image_server import serve_files
from pappus.demo.report import Report
from pappus.demo.scenario import DemoScenario
from pappus.demo.view import View
from pappus.errors import Refused
from pappus.stack import Stack
from pappus.stack_client import RunningStack


def demo(
    images: ImagesOption = None,
    report_path: Annotated[Path | None, typer.Option("--report", help="Write the table as JSON to this file.")] = None,
    exit_after: Annotated[bool, typer.Option("--exit", help="Stop the stack at the end.")] = False,
    state: StateOption = None,
) -> None:
    """Run the whole loop unattended: images, a model, predictions, corrections, promotion, hot reload, a rollback."""
    report = Report()
    view = View(console, report)
    with refusals(state):
        _refuse_report(report_path)
        stack = Stack(state)
        port = stack.ports()["demo-images"]
        try:
            with nullcontext() if exit_after else starting():
                _up(stack, port, view)
            running = RunningStack.find(state_folder(state))
            asyncio.run(_run_scenario(running, stack, images, port, report, view))
            report.addresses = _addresses(running, exit_after)
        finally:
            _finish(report, report_path)
            if exit_after:
                stack.down()


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


async def _run_scenario(
    running: RunningStack, stack: Stack, images: str | None, port: int, report: Report, view: View
) -> None:
    source = await choose_source(running, stack.state, images)
    report.images = source.description
    console.print(f"Images: {source.description}.", highlight=False, soft_wrap=True)
    try:
        with serve_files(source.files, port), view.shown():
            await DemoScenario(running, source, report, view).run()
    finally:
        if "stored" in report.figures:  # else images are missing: a row that is refused is refused for good
            await asyncio.to_thread(stack.take_back_hosts)


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


def _addresses(running: RunningStack, stopped: bool) -> dict[str, str]:
    if stopped:
        return {}
    return {
        "Upload, review, correct": f"{running.ui}  (log in as labeler / {running.passwords['labeler']})",
        "Prediction API": f"{running.predictor}/docs",
        "Labeling API": f"{running.labeler}/docs",
        "MLflow": running.mlflow,
        "What runs": "pappus status",
        "Stop it": "make down",
    }
