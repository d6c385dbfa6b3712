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
    force: Annotated[bool, typer.Option("--force", help="Use the new tables even if they differ.")] = False,
    state: StateOption = None,
) -> None:
    """Rebuild every table from the log, compare it with the one in use, and use it from then on. Nothing is fetched,
    trained or published. If a table came out differently and nothing explains it, all stays as it was: exit code 1."""

    async def work() -> None:
        stack = Stack(state)
        if not stack.status().running:
            raise Refused("The stack does not run. Start it first: pappus up")
        table = Table("tables of", "records folded", "dead letters skipped", "seconds", "compared with those in use")
        differing: list[str] = []
        for owner in _chosen(service):
            report = await _replay_one(stack, owner, force)
            if report["differing"] and not report["swapped"]:
                differing += [f"{owner}.{name}" for name in report["differing"]]
            verdict = _verdict(report)
            table.add_row(owner, str(report["records"]), str(report["skipped"]), f"{report['seconds']:.2f}", verdict)
        console.print(table)
        if differing:
            raise Refused(
                f"{', '.join(differing)} came out differently, so the tables of that service stay as they were. A table"
                " that is not the fold of its topics is a bug; please report it with the logs. To use the new tables"
                " all the same: pappus replay --force"
            )

    attempt(work, state)


def _verdict(report: dict[str, Any]) -> str:
    """Return what the comparison showed, in words."""
    if not report["differing"]:
        return f"all {len(report['compared'])} equal"
    differs = f"differ: {', '.join(report['differing'])}"
    if not report["swapped"]:
        return f"{differs}; not used"
    return f"{differs}; in use now. {report['explained']}".rstrip()


def _chosen(named: list[str] | None) -> tuple[str, ...]:
    unknown = set(named or ()) - set(OWNERS)
    if unknown:
        raise Refused(f"There is no service {', '.join(sorted(unknown))}; there are {', '.join(OWNERS)}.")
    return tuple(named) if named else OWNERS


async def _replay_one(stack: Stack, owner: str, force: bool) -> dict[str, Any]:
    """Run the replay of one service under its own role; return its report."""
    context = StackContext.load(stack.state, Cache(stack.cache), inherited_environment())
    environment = with_project(replay_environment(owner, context))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.replay",
        owner,
        *(["--force"] if force else []),
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
