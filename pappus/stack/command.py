"""Commands of the preparing steps: run to completion, output kept for the error text, killed on cancellation."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL

from pappus.stack.errors import StepFailed
from pappus.stack.identity import signal_group
from pappus.stack.unprivileged import Account

TAIL_CHARACTERS = 1500


async def run_command(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None = None, account: Account | None = None
) -> str:
    """Run a command and return its output. Raises StepFailed, with the end of the output, for an exit code but 0."""
    code, output = await _finish(arguments, environment, folder, account)
    if code != 0:
        raise StepFailed(
            f"{Path(arguments[0]).name} failed with exit code {code}:\n{output[-TAIL_CHARACTERS:].strip()}"
        )
    return output


async def succeeds(arguments: Sequence[str], environment: Mapping[str, str], account: Account | None = None) -> bool:
    """Return whether the command exits with 0."""
    code, _ = await _finish(arguments, environment, None, account)
    return code == 0


async def _finish(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None, account: Account | None
) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        env=dict(environment),
        cwd=folder,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
        user=account.user_id if account else None,
        group=account.group_id if account else None,
        extra_groups=[] if account else None,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        signal_group(process.pid, SIGKILL)
        await process.wait()
        raise
    return process.returncode or 0, output.decode(errors="replace")
