"""The local stack as an installation: its addresses and passwords, read from the state folder."""

import hmac
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from pappus.installation.access import ROLES, ImageServing, Installation, Login
from pappus.plants import PlantsTable
from pappus.stack.addresses import database_url
from pappus.stack.credentials import COMMAND, READER, Credentials
from pappus.stack.errors import StackError
from pappus.stack.folders import StateFolder
from pappus.stack.people import People
from pappus.stack.status import read_status
from shared.clients.api import AsyncApi


@dataclass(frozen=True, kw_only=True)
class RunningStack(Installation):
    """The stack of a state folder, with the two generated people. `images_url`: where its ingestor may be lent images.
    Those of a seed have a path there that other programs cannot guess; always the same, so that a repeated seed adds no
    rows. `mlflow_password`: of the reader."""

    state: StateFolder
    images_url: str
    serving: ImageServing
    mlflow_password: str

    first_contact_seconds: ClassVar[float] = 60.0
    """A stack that runs may be restarting its services."""
    for_an_operator: ClassVar[str] = "Name one that is (--as NAME), or give the role: pappus users role NAME operator"

    def _known_logins(self) -> list[Login]:
        """Return the logins of all people of the stack. Raises StackError if their file cannot be read."""
        return [Login(person.name, person.password) for person in People(self.state).all()]

    def _unknown(self, name: str, known: list[str]) -> str:
        return f"There is no user {name} in this stack. The users are: {', '.join(known)}. See: pappus users ls"

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
            state=state,
            predictor=f"http://127.0.0.1:{replicas[0].ports['predictor']}",
            replicas=tuple(f"http://127.0.0.1:{component.ports[component.name]}" for component in replicas),
            labeler=addresses["labeler-api"],
            ui=addresses["labeler-ui"],
            mlflow=addresses["mlflow"],
            jaeger=addresses.get("jaeger", ""),
            plants_dsn=database_url(state, ("seeder", credentials.postgres["seeder"]), postgres),
            images_url=f"http://127.0.0.1:{images}",
            serving=ImageServing(
                "127.0.0.1", images, f"http://127.0.0.1:{images}/{_unguessable(credentials)}", lent=True
            ),
            logins={role: Login(role, credentials.users[role]) for role in ROLES},
            predictor_key=credentials.predictor_keys[COMMAND],
            mlflow_password=credentials.mlflow[READER],
        )

    @property
    def plants(self) -> PlantsTable:
        """The table `plants_data`."""
        return PlantsTable(self.plants_dsn, "Try: pappus status", f"See: {self.logs_of('ingestor')}")

    def logs_of(self, *components: str) -> str:
        """Return the commands that show the logs of these components."""
        return ", ".join(f"pappus logs {component}" for component in components)

    @asynccontextmanager
    async def each_replica(self) -> AsyncIterator[list[AsyncApi]]:
        """Open every replica of the predictor by its own address."""
        connecting = self._connecting("replicas")
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(AsyncApi(url, connecting=connecting)) for url in self.replicas]


def _unguessable(credentials: Credentials) -> str:
    """Return a word that only this stack's secret gives, and that does not give the secret."""
    return hmac.new(credentials.session_secret.encode(), b"images of a seed", "sha256").hexdigest()[:32]
