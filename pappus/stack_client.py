"""Clients of a running stack: its addresses and passwords, read from the state folder."""

import hmac
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pappus.stack.addresses import database_url
from pappus.stack.credentials import Credentials
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.status import read_status
from shared.clients.api import AsyncApi
from shared.clients.labeler import log_in


@dataclass(frozen=True, slots=True)
class RunningStack:
    """Base URLs of the services, the database address for `plants_data`, and the generated passwords by user name.
    `seed_url`: where the images of a seed are served, with a path that other programs cannot guess; always the same, so
    that a repeated seed adds no rows."""

    predictor: str
    replicas: tuple[str, ...]
    labeler: str
    ui: str
    mlflow: str
    plants_dsn: str
    images_url: str
    seed_url: str
    passwords: dict[str, str]

    @classmethod
    def find(cls, state: StateFolder) -> "RunningStack":
        """Find the stack of this state folder. Raises StackError if it does not run."""
        status = read_status(state)
        if not status.running:
            raise StackError(f"No stack runs in {state.root}. Start it first: pappus up")
        credentials = Credentials.load_or_create(state)
        addresses = status.addresses
        replicas = [component for component in status.components if component.name.startswith("predictor-api-")]
        missing = {"labeler-api", "labeler-ui", "mlflow", "postgres", "ingestor"} - addresses.keys()
        if missing or not replicas:
            raise StackError(
                f"The stack runs without {', '.join(sorted(missing)) or 'a predictor'}. Start all of it: pappus up"
            )
        postgres = status.component("postgres").ports["postgres"]
        images = status.component("ingestor").ports["demo-images"]
        return cls(
            predictor=f"http://127.0.0.1:{replicas[0].ports['predictor']}",
            replicas=tuple(f"http://127.0.0.1:{component.ports[component.name]}" for component in replicas),
            labeler=addresses["labeler-api"],
            ui=addresses["labeler-ui"],
            mlflow=addresses["mlflow"],
            plants_dsn=database_url(state, ("seeder", credentials.postgres["seeder"]), postgres),
            images_url=f"http://127.0.0.1:{images}",
            seed_url=f"http://127.0.0.1:{images}/{_unguessable(credentials)}",
            passwords=dict(credentials.users),
        )

    @asynccontextmanager
    async def labeler_as(self, user: str) -> AsyncIterator[AsyncApi]:
        """Open the labeling API, logged in as `user` ("labeler" or "operator")."""
        async with AsyncApi(self.labeler) as labeler:
            labeler.authenticate((await labeler.send(log_in(user, self.passwords[user]))).token)
            yield labeler

    @asynccontextmanager
    async def each_replica(self) -> AsyncIterator[list[AsyncApi]]:
        """Open every replica of the predictor by its own address."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(AsyncApi(url)) for url in self.replicas]


def _unguessable(credentials: Credentials) -> str:
    """Return a word that only this stack's secret gives, and that does not give the secret."""
    return hmac.new(credentials.session_secret.encode(), b"images of a seed", "sha256").hexdigest()[:32]
