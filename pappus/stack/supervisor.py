"""All parts of a stack, kept running: started in the order of their needs, stopped in the reverse."""

import asyncio
from collections.abc import Sequence

from pappus.stack.folders import StateFolder
from pappus.stack.part import Part
from pappus.stack.status import PartState, PartStatus, StackStatus
from pappus.stack.supervised import Supervised


class Supervisor:
    """Owns the processes of one stack. `failed` gets the exception of a part that ended by a bug of ours."""

    def __init__(self, state: StateFolder, status: StackStatus) -> None:
        self._state = state
        self._status = status
        self._running: dict[str, Supervised] = {}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def names(self) -> frozenset[str]:
        """The parts it keeps running."""
        return frozenset(self._running)

    async def want(self, parts: Sequence[Part]) -> None:
        """Start those of `parts` that do not run; restart those whose settings changed; try those at once that rest
        after a failure: it may be mended. Nothing is stopped for good."""
        again = {part.name: part for part in parts if part.name in self._running and self._needs_new_start(part)}
        await asyncio.gather(*(self._running[name].renew(part) for name, part in again.items()))
        fresh = {part.name: self._supervise(part) for part in parts if part.name not in self._running}
        self._running |= fresh
        for name in (*again, *fresh):
            self._running[name].start(self._running).add_done_callback(self._ended)

    async def stop(self) -> None:
        """Stop everything; a part stops when all that need it have stopped."""
        stopped = {name: asyncio.Event() for name in self._running}
        await asyncio.gather(*(self._stop(one, stopped) for one in self._running.values()))

    async def _stop(self, one: Supervised, stopped: dict[str, asyncio.Event]) -> None:
        for other in self._running.values():
            if one.part.name in other.part.needs:
                await stopped[other.part.name].wait()
        await one.stop()
        stopped[one.part.name].set()

    def _needs_new_start(self, part: Part) -> bool:
        running = self._running[part.name]
        known = running.part
        changed = (known.edition, dict(known.ports)) != (part.edition, dict(part.ports))
        return changed or running.status.state is PartState.RESTING

    def _supervise(self, part: Part) -> Supervised:
        log = self._state.log(part.name)
        status = PartStatus(
            name=part.name,
            group=part.group,
            address=part.address,
            ports=dict(part.ports),
            stop_signal=part.stop_signal,
            log=str(log),
        )
        names = [known.name for known in self._status.parts]
        if part.name in names:
            self._status.parts[names.index(part.name)] = status
        else:
            self._status.parts.append(status)
        return Supervised(part, status, log, self._save)

    def _save(self) -> None:
        self._status.save(self._state)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self.failed.done():
            self.failed.set_exception(task.exception() or RuntimeError(f"{task.get_name()} ended by itself"))
