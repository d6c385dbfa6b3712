"""Where models come from, as `services.trainer.lineage` says it: in a process of its own, with the trainer's rights."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from pappus.actions.replay import json_line
from pappus.errors import Refused
from pappus.stack import Stack
from pappus.stack.services import SERVICES, service_environment, with_project
from pappus.terminal.listing import Column, Listing, left_out
from pappus.terminal.output import Output
from pappus.terminal.progress import progress_line
from shared.clients.names import in_names

MODULE, AS_SERVICE = "services.trainer.lineage", "trainer-full"
ANSWERED, ENDS = "answered", "the process ends: a part failed"
KINDS = {
    "added": "added",
    "removed": "removed",
    "relabelled": "another label",
    "moved": "another side",
}


async def ask(stack: Stack, *question: str) -> dict[str, Any]:
    """Return the answer to a question. Raises Refused if the stack does not run, or there is none."""
    if not stack.status().running:
        raise Refused("The stack does not run. Start it first: pappus up")
    service = next(service for service in SERVICES if service.name == AS_SERVICE)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", MODULE, *question),
        env=with_project(service_environment(service, stack.running_context())),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    lines = [json_line(line) for line in out.decode(errors="replace").splitlines()]
    answers = [line["answer"] for line in lines if line.get("event") == ANSWERED]
    if answers:
        return dict(answers[-1])
    errors = [str(line.get("error", "")) for line in lines if line.get("event") == ENDS]
    if errors:
        raise Refused(errors[-1].partition(": ")[2] or errors[-1])
    tail = "\n".join(out.decode(errors="replace").splitlines()[-15:])
    raise Refused(f"{MODULE} ended with exit code {process.returncode}:\n{tail}")


async def reproduce(stack: Stack, output: Output, version: str) -> None:
    """Make a model again, and compare. Raises Refused at the end if it is not the same."""
    with progress_line(output.progress) as line:
        line.say(f"making {version} again")
        report = await ask(stack, "reproduce", version)
    for finding in report["findings"]:
        output.say(finding["sentence"])
    if report["base"] is not None:
        output.say(f"Backbone and head are those of {report['base']}.")
    output.give(report)
    if not report["same"]:
        raise Refused(report["sentence"])
    output.say(f"{report['sentence']} It took {report['seconds']:.1f} s.")


async def show_difference(stack: Stack, output: Output, first: str, second: str, limit: int) -> None:
    """Show how the data set of the second model differs from that of the first."""
    with progress_line(output.progress) as line:
        line.say("reading two data sets")
        found = await ask(stack, "compare", first, second)
    rows = [(kind, each) for kind in KINDS for each in found[kind]]
    counts = {kind: len(found[kind]) for kind in KINDS}
    if rows:
        names = found.get("names", {})
        output.show(difference_table([(kind, in_names(each, names)) for kind, each in rows[:limit]]))
    output.note(left_out(len(rows), limit, "differences"))
    images = f"{first}: {found['first']['images']} images; {second}: {found['second']['images']}"
    said = ", ".join(f"{count} {KINDS[kind]}" for kind, count in counts.items() if count)
    output.say(f"{images}; {said or 'the same images, labels and sides'}.")
    shown: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for kind, each in rows[:limit]:
        shown[kind].append(each)
    output.give(
        {"first": found["first"], "second": found["second"], "counts": counts, **shown, "more": len(rows) > limit}
    )


async def show_artefacts(stack: Stack, output: Output, limit: int) -> None:
    """Show which artefacts stay and why, and which go, the oldest first."""
    found = await ask(stack, "artefacts")
    kept, going = Listing(Column("kept", right=True), Column("kB", right=True), "why"), found["going"]
    for each in found["kept"]:
        kept.add(str(each["artefacts"]), _kilobytes(each["size_bytes"]), each["reason"])
    output.show(kept)
    next_ones = Listing(Column("deleted next", whole=True), Column("kB", right=True), "put", "why")
    for each in going[:limit]:
        next_ones.add(each["key"], _kilobytes(each["size_bytes"]), each["put_at"][:16], each["reason"])
    if going:
        output.show(next_ones)
    output.note(left_out(len(going), limit, "artefacts"))
    size_bytes = sum(each["size_bytes"] for each in going)
    output.say(f"{len(going)} artefacts go next, {_kilobytes(size_bytes)} of {_kilobytes(found['size_bytes'])} kB.")
    output.give({**found, "going": going[:limit], "going_bytes": size_bytes, "more": len(going) > limit})


def _kilobytes(size_bytes: int) -> str:
    return f"{size_bytes / 1000:,.1f}"


def difference_table(rows: list[tuple[str, dict[str, Any]]]) -> Listing:
    """Return one row for each image that differs."""
    table = Listing(Column("what"), Column("image", whole=True), "before", "after")
    for kind, each in rows:
        table.add(KINDS[kind], each["image_id"], _described(each["before"]), _described(each["after"]))
    return table


async def check_out(stack: Stack, output: Output, version: str, folder: Path) -> None:
    """Write the images of a data set into a folder. Raises Refused at the end if some are lost."""
    with progress_line(output.progress) as line:
        line.say(f"writing the images of {version} into {folder}")
        found = await ask(stack, "checkout", version, str(await asyncio.to_thread(folder.absolute)))
    output.give(found)
    output.say(
        f"{found['images'] - len(found['lost'])} of {found['images']} images of {version} are in {found['folder']}:"
        f" {found['written']} written, {found['kept']} were there. manifest.csv lists them."
    )
    if found["lost"]:
        raise Refused(f"The bytes of these images are gone or others: {', '.join(found['lost'])}.")


def _described(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "-"
    layer = ", in the correction layer" if entry["in_layer"] else ""
    return f"{entry['label']} ({entry['side']}, revision {entry['revision']}{layer})"
