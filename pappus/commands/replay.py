"""`pappus replay`: fold every table again from the log, while the services run, and compare with the tables in use."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from pappus.commands.options import StateOption, attempt
from pappus.commands.screen import console
from pappus.errors import Refused
from pappus.stack import Stack
from pappus.stack.cache import Cache
from pappus.stack.context import StackContext
from pappus.stack.services import SERVICES, replay_environment, with_project
from pappus.stack.settings import inherited_environment

OWNERS = tuple(sorted({service.owner for service in SERVICES}))


def replay(
    service: Annotated[
        list[str] | None, typer.Argument(help="ingestor, labeler, predictor, trainer; default: all.")
    ] = None,
    state: StateOption = None,
) -> None:
    """Rebuild every table from the log, compare it with the one in use, and use it from then on. Nothing is fetched,
    trained or published. Exit code 1 if a table came out differently."""

    async def work() -> None:
        stack = Stack(state)
        if not stack.status().running:
            raise Refused("The stack does not run. Start it first: pappus up")
        table = Table("tables of", "records folded", "dead letters skipped", "seconds", "compared with those in use")
        differing: list[str] = []
        for owner in _chosen(service):
            report = await _replay_one(stack, owner)
            differs = report["differing"]
            differing += [f"{owner}.{name}" for name in differs]
            verdict = f"differ: {', '.join(differs)}" if differs else f"all {len(report['compared'])} equal"
            table.add_row(owner, str(report["records"]), str(report["skipped"]), f"{report['seconds']:.2f}", verdict)
        console.print(table)
        if differing:
            raise Refused(
                f"{', '.join(differing)} came out differently: the new ones are in use now. A table that is not the "
                "fold of its topics is a bug; please report it with the logs."
            )

    attempt(work, state)


def _chosen(named: list[str] | None) -> tuple[str, ...]:
    unknown = set(named or ()) - set(OWNERS)
    if unknown:
        raise Refused(f"There is no service {', '.join(sorted(unknown))}; there are {', '.join(OWNERS)}.")
    return tuple(named) if named else OWNERS


async def _replay_one(stack: Stack, owner: str) -> dict[str, Any]:
    """Run the replay of one service under its own role; return its report."""
    context = StackContext.load(stack.state, Cache(stack.cache), inherited_environment())
    environment = with_project(replay_environment(owner, context))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.replay",
        owner,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    reports = [line for line in map(_json, out.decode().splitlines()) if line.get("event") == "replayed"]
    if process.returncode != 0 or not reports:
        tail = "\n".join((out + err).decode(errors="replace").splitlines()[-15:])
        raise Refused(
            f"The replay of {owner} ended with exit code {process.returncode}; its tables are as before:\n{tail}"
        )
    return reports[-1]


def _json(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
