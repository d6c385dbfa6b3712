"""Logins: bounded work for strangers, and none of it in the way of the people who belong here."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from services.labeler.accounts.sessions import Principal
from services.labeler.accounts.users import Account, Users
from shared.runtime.errors import PappusError

QUEUE = 20
"""How many passwords may wait to be checked; each takes 50 to 100 ms."""
QUEUE_SECONDS = 2.0
WINDOW_SECONDS = 60.0
NAME_FAILURES = 20
ADDRESS_FAILURES = 100
RECOGNITIONS = 3_000
REMEMBERED = 10_000


class TooManyLogins(PappusError):
    """Too many logins wait, or were wrong lately, for this name or from this address."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many logins were tried. Try again in {retry_after_seconds} s.")
        self.retry_after_seconds = retry_after_seconds


class _Counter:
    """Counts events of a key within WINDOW_SECONDS of its first one. Remembers at most REMEMBERED keys."""

    def __init__(self, limit: int, now: Callable[[], float]) -> None:
        self._limit = limit
        self._now = now
        self._found: OrderedDict[object, tuple[float, int]] = OrderedDict()

    def add(self, key: object) -> None:
        began, count = self._current(key)
        self._found[key] = began, count + 1
        if len(self._found) > REMEMBERED:
            self._found.popitem(last=False)

    def wait_seconds(self, key: object) -> float:
        """Return how long the key has to wait; 0 below the limit."""
        began, count = self._current(key)
        return began + WINDOW_SECONDS - self._now() if count >= self._limit else 0.0

    def _current(self, key: object) -> tuple[float, int]:
        now = self._now()
        began, count = self._found.get(key, (now, 0))
        return (began, count) if now - began < WINDOW_SECONDS else (now, 0)


class Logins:
    """Checks names and passwords, one after the other, of at most QUEUE at a time.

    A password that was right lately, for the same name from the same address, is recognised at once while others wait
    or the name is blocked: so strangers who try passwords cannot keep its owner out. The memory of the process holds
    only a keyed hash of it.
    """

    def __init__(self, users: Users, now: Callable[[], float] = time.monotonic) -> None:
        self._users = users
        self._by_name, self._by_address = _Counter(NAME_FAILURES, now), _Counter(ADDRESS_FAILURES, now)
        self._recognitions = _Counter(RECOGNITIONS, now)
        self._waiting = 0
        self._right: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def log_in(self, name: str, password: str, address: str) -> Principal | None:
        """Return the user; None for a wrong name or password.

        Raises:
            TooManyLogins: wait, then try again.
            TransientError: the table cannot be read.
        """
        wait_seconds = max(self._by_name.wait_seconds(name), self._by_address.wait_seconds(address))
        if self._waiting >= QUEUE:
            wait_seconds = max(wait_seconds, QUEUE_SECONDS)
        if wait_seconds or self._waiting:
            account = await self._recognised(name, password, address)
            if account is not None:
                return Principal(name, account.role)
        if wait_seconds or self._waiting >= QUEUE:  # others may have come meanwhile
            raise TooManyLogins(int(wait_seconds or QUEUE_SECONDS) + 1)
        return await self._checked(name, password, address)

    async def _checked(self, name: str, password: str, address: str) -> Principal | None:
        self._waiting += 1
        try:
            account = await self._users.find(name)
            right = await self._users.verify(account, password)
        finally:
            self._waiting -= 1
        if account is None or not right:
            self._by_name.add(name)
            self._by_address.add(address)
            return None
        self._remember((name, address), self._users.digest(account, password))
        return Principal(name, account.role)

    async def _recognised(self, name: str, password: str, address: str) -> Account | None:
        known = self._right.get((name, address))
        if known is None or self._recognitions.wait_seconds((name, address)):
            return None
        self._recognitions.add((name, address))
        account = await self._users.find(name)
        if account is None or not hmac.compare_digest(known, self._users.digest(account, password)):
            return None
        return account

    def _remember(self, key: tuple[str, str], digest: bytes) -> None:
        self._right[key] = digest
        self._right.move_to_end(key)
        if len(self._right) > REMEMBERED:
            self._right.popitem(last=False)
