"""Whether waiting any longer makes sense, and what to tell the person who waits."""

from pathlib import Path

from pappus.stack.logs import last_lines
from pappus.stack.status import PartState, PartStatus, StackStatus

GIVE_UP_FAILURES = 5
LOG_LINES = 12


def trouble(status: StackStatus, out_of_time: bool) -> str | None:
    """Why the stack will not become ready by waiting, or None while it may."""
    if status.problem:
        return status.problem
    if not status.running:
        log = Path(status.state) / "logs" / "supervisor.log"
        return "The supervisor ended:\n" + "\n".join(last_lines(log, LOG_LINES))
    not_ready = [part for part in status.parts if part.state is not PartState.READY]
    hopeless = [part for part in not_ready if part.failures >= GIVE_UP_FAILURES]
    if hopeless:
        return "\n".join(_explain(part) for part in hopeless) + "\nThe rest goes on; `pappus down` stops it."
    if out_of_time:
        return f"Not ready in time: {', '.join(f'{part.name} ({part.state} {part.detail})' for part in not_ready)}."
    return None


def _explain(part: PartStatus) -> str:
    lines = "\n".join(f"  {line}" for line in last_lines(Path(part.log), LOG_LINES))
    return f"{part.name} does not start (tried {part.failures} times): {part.last_exit}\n{lines}".rstrip()
