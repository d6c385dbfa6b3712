"""Replays: fold every table again from the log, while the services run, and compare with the tables in use."""

import asyncio
import json
import sys
from typing import Any

from pappus.errors import Refused
from pappus.stack import Stack
from pappus.stack.cache import Cache
from pappus.stack.context import StackContext
from pappus.stack.services import SERVICES, replay_environment, with_project
from pappus.stack.settings import inherited_environment
from pappus.terminal.listing import Column, Listing
from pappus.terminal.output import Output
from pappus.terminal.progress import progress_line

OWNERS = tuple(sorted({service.owner for service in SERVICES}))
REPORTED = ("records", "skipped", "seconds", "compared", "differing", "swapped", "explained")


async def replay(stack: Stack, output: Output, services: list[str] | None, force: bool) -> None:
    """Replay the tables of these services, of all without a name. Raises Refused at the end if one came out differently
    and stays as it was."""
    if not stack.status().running:
        raise Refused("The stack does not run. Start it first: pappus up")
    reports: dict[str, dict[str, Any]] = {}
    with progress_line(output.progress) as line:
        for owner in _chosen(services):
            line.say(f"folding the tables of {owner} again")
            reports[owner] = await _replay_one(stack, owner, force)
    output.show(replays_table(reports))
    output.give(
        {"replays": [{"tables": owner, **{key: each[key] for key in REPORTED}} for owner, each in reports.items()]}
    )
    differing = [
        f"{owner}.{name}" for owner, each in reports.items() if not each["swapped"] for name in each["differing"]
    ]
    if differing:
        raise Refused(
            f"{', '.join(differing)} came out differently, so the tables of that service stay as they were. A table"
            " that is not the fold of its topics is a bug; please report it with the logs. To use the new tables"
            " all the same: pappus replay --force"
        )


def replays_table(reports: dict[str, dict[str, Any]]) -> Listing:
    """Return one row for each service, by name."""
    table = Listing(
        Column("tables of", whole=True),
        Column("records", whole=True, right=True),
        Column("skipped", whole=True, right=True),
        Column("seconds", whole=True, right=True),
        "compared with those in use",
    )
    for owner, each in reports.items():
        table.add(owner, str(each["records"]), str(each["skipped"]), f"{each['seconds']:.2f}", _verdict(each))
    return table


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
    reports = [line for line in map(json_line, out.decode().splitlines()) if line.get("event") == "replayed"]
    if process.returncode != 0 or not reports:
        tail = "\n".join((out + err).decode(errors="replace").splitlines()[-15:])
        raise Refused(
            f"The replay of {owner} ended with exit code {process.returncode}; its tables are as before:\n{tail}"
        )
    return reports[-1]


def json_line(line: str) -> dict[str, Any]:
    """Return the object that a line of a log is, empty for another line."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
