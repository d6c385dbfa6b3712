"""All components of a stack, kept running: started in the order of their needs, stopped in the reverse order."""

import asyncio
from collections.abc import Collection, Sequence

from pappus.stack.component import Component
from pappus.stack.folders import StateFolder
from pappus.stack.status import ComponentState, ComponentStatus, StackStatus
from pappus.stack.supervised_component import SupervisedComponent

NOT_RUNNING = (ComponentState.BACKOFF, ComponentState.STOPPED)


class Supervisor:
    """Owns the processes of one stack. `failed` receives the exception of a component that ended by a bug of ours."""

    def __init__(self, state: StateFolder, status: StackStatus) -> None:
        self._state = state
        self._status = status
        self._supervised: dict[str, SupervisedComponent] = {}
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def names(self) -> frozenset[str]:
        """The names of the components under supervision, stopped ones included."""
        return frozenset(self._supervised)

    async def apply(self, components: Sequence[Component], restart: Collection[str] = ()) -> None:
        """Start those of `components` that do not run; restart those that `restart` names and those whose settings
        changed; try those in backoff again at once, because their cause may be gone."""
        again = [
            component
            for component in components
            if component.name in self._supervised and self._needs_start(component, restart)
        ]
        await asyncio.gather(*(self._supervised[component.name].renew(component) for component in again))
        fresh = [component for component in components if component.name not in self._supervised]
        self._supervised |= {component.name: self._supervise(component) for component in fresh}
        for component in (*again, *fresh):
            self._supervised[component.name].start(self._supervised).add_done_callback(self._ended)

    async def stop_components(self, names: Collection[str]) -> None:
        """Stop these until `apply` names them again; the others keep running. Return when their processes are gone."""
        running = [each for each in self._supervised.values() if not each.status.stopped_on_request]
        await asyncio.gather(*(each.stop_on_request() for each in running if each.component.name in names))

    async def remove(self, names: Collection[str]) -> None:
        """Stop these and forget them: the stack has them no longer."""
        gone = [self._supervised.pop(name) for name in names]
        await asyncio.gather(*(each.stop() for each in gone))
        self._status.components = [known for known in self._status.components if known.name not in names]
        self._save()

    async def stop(self) -> None:
        """Stop everything; a component stops when all components that need it have stopped."""
        stopped = {name: asyncio.Event() for name in self._supervised}
        await asyncio.gather(*(self._stop(each, stopped) for each in self._supervised.values()))

    async def _stop(self, supervised: SupervisedComponent, stopped: dict[str, asyncio.Event]) -> None:
        name = supervised.component.name
        for other in self._supervised.values():
            if name in other.component.needs:
                await stopped[other.component.name].wait()
        await supervised.stop()
        stopped[name].set()

    def _needs_start(self, component: Component, restart: Collection[str]) -> bool:
        supervised = self._supervised[component.name]
        known = supervised.component
        changed = (known.config_hash, dict(known.ports)) != (component.config_hash, dict(component.ports))
        return changed or component.name in restart or supervised.status.state in NOT_RUNNING

    def _supervise(self, component: Component) -> SupervisedComponent:
        log = self._state.log(component.name)
        status = ComponentStatus(
            name=component.name,
            group=component.group,
            address=component.address,
            ports=dict(component.ports),
            stop_signal=component.stop_signal,
            log=str(log),
        )
        names = [known.name for known in self._status.components]
        if component.name in names:
            self._status.components[names.index(component.name)] = status
        else:
            self._status.components.append(status)
        return SupervisedComponent(component, status, log, self._save)

    def _save(self) -> None:
        self._status.save(self._state)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self.failed.done():
            self.failed.set_exception(task.exception() or RuntimeError(f"{task.get_name()} ended by itself"))
