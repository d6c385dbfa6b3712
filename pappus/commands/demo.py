"""`pappus demo`: the whole story, unattended."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pappus.commands.options import StateOption, attempt, state_folder
from pappus.commands.progress import Progress
from pappus.commands.seed import ImagesOption, choose_source
from pappus.demo.image_server import serve_folder
from pappus.demo.report import Report
from pappus.demo.story import Story
from pappus.demo.view import View
from pappus.running import RunningStack
from pappus.stack import Stack
from pappus.stack.cache import Cache
from pappus.stack.context import StackContext
from pappus.stack.settings import inherited_environment

console = Console()


def demo(
    images: ImagesOption = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the table as JSON to this file.")] = None,
    exit_after: Annotated[bool, typer.Option("--exit", help="Stop the stack at the end.")] = False,
    state: StateOption = None,
) -> None:
    """Images in, a model, predictions, corrections, promotion, hot reload, a rollback: the whole story, unattended."""
    told = Report()
    view = View(console, told)

    async def work() -> None:
        stack = Stack(state)
        port = _images_port(stack)
        try:
            with view.stage("stack up") as stage:
                await asyncio.to_thread(_up, stack, [f"127.0.0.1:{port}"])
                stage.seen = "Kafka, PostgreSQL, S3, MLflow and all services"
            running = RunningStack.find(state_folder(state))
            source = await choose_source(running, stack.state, images)
            told.images = source.description
            console.print(f"Images: {source.description}.", highlight=False, soft_wrap=True)
            with serve_folder(source.folder, port), view.shown():
                await Story(running, source, told, view).tell()
            told.addresses = _addresses(running, exit_after)
        finally:
            _finish(told, report)
            if exit_after:
                await asyncio.to_thread(stack.down)

    attempt(work)


def _up(stack: Stack, allowed_hosts: Sequence[str]) -> None:
    with Progress(console) as progress:
        stack.up(allowed_hosts=allowed_hosts, watch=progress.show)


def _images_port(stack: Stack) -> int:
    return StackContext.load(stack.state, Cache(stack.cache), inherited_environment()).ports["demo-images"]


def _finish(told: Report, report: Path | None) -> None:
    """The table, the seconds that matter, and where to go on."""
    console.print()
    console.print(told.as_table())
    if told.correction_to_live_seconds:
        spent = sorted(told.correction_to_live_seconds)
        middle = spent[len(spent) // 2]
        console.print(
            f"Correction to live on every replica: {middle:.2f} s median, {spent[-1]:.2f} s longest.", highlight=False
        )
    if told.addresses:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, address in told.addresses.items():
            table.add_row(name, address)
        console.print(table)
    if report is not None:
        report.write_text(json.dumps(told.as_json(), indent=2) + "\n")
        console.print(f"Report: {report}", highlight=False)


def _addresses(running: RunningStack, stopped: bool) -> dict[str, str]:
    if stopped:
        return {}
    return {
        "Upload, review, correct": f"{running.ui}  (sign in as labeler / {running.passwords['labeler']})",
        "Prediction API": f"{running.predictor}/docs",
        "Labeling API": f"{running.labeler}/docs",
        "MLflow": running.mlflow,
        "What runs": "pappus status",
        "Stop it": "make down",
    }
