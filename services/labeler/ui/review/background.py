"""Work beside the page: a thread that lives while there is something to do, so that no key waits for a server."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Background:
    """Runs `work` in a thread of its own whenever `wake` was called, and once more if it was called meanwhile."""

    work: Callable[[], None]
    name: str = "review"
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _wanted: bool = False
    _running: bool = False

    def wake(self) -> None:
        """See to it that the work is done; returns at once."""
        with self._lock:
            self._wanted = True
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def _run(self) -> None:
        try:
            while self._take():
                self.work()
        except BaseException:
            with self._lock:
                self._running = False
            raise

    def _take(self) -> bool:
        with self._lock:
            self._running, self._wanted = self._wanted, False
            return self._running
