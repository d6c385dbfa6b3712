"""An installation as its users reach it: addresses, logins, and clients of its APIs."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

from pappus.errors import Refused
from pappus.installation.replicas import OneAddress, OwnAddresses, Replicas
from pappus.installation.settings import how_to_give
from pappus.plants import PlantsTable
from shared.clients.answers import Session
from shared.clients.api import AsyncApi, Connecting
from shared.clients.errors import LOCAL_STACK, ApiProblem
from shared.clients.labeler import log_in
from shared.clients.predictor import get_serving_model
from shared.contract.roles import Role, may_act_as, with_article
from shared.runtime.text import clean_typed

ROLES: tuple[Role, ...] = ("labeler", "operator")
WRONG_LOGIN = 401
NO_MODEL = 503


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password of the labeler."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImageServing:
    """Where the command serves images: it listens on `host`:`port`, and the ingestor reaches it at `url`. `lent`: the
    ingestor is allowed to fetch there while the command runs; else its settings decide."""

    host: str
    port: int
    url: str
    lent: bool = False


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Base URLs without a slash at the end, and logins by role; what is empty or missing is not known. `replicas`: the
    predictor's replicas, each by its own address. `plants_dsn`: PostgreSQL with `plants_data`, as a user who may insert
    rows. `own`: a further login, of the person who runs the command. `acting`: the login that all is done as; None:
    that of the role. `predictor_key`: what machines show to the predictor. `ca_file`: who signs for the APIs (None: the
    authorities of the system). `serving`: where images of a folder are served. `origins`: where each value comes from,
    by field."""

    predictor: str = ""
    replicas: tuple[str, ...] = ()
    labeler: str = ""
    ui: str = ""
    mlflow: str = ""
    jaeger: str = ""
    plants_dsn: str = field(default="", repr=False)
    logins: Mapping[Role, Login] = field(default_factory=dict)
    own: Login | None = None
    acting: Login | None = None
    predictor_key: str = field(default="", repr=False)
    ca_file: Path | None = None
    serving: ImageServing | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    first_contact_seconds: ClassVar[float] = 5.0
    """How long an API may be away at first contact; an address may be wrong."""

    @property
    def plants(self) -> PlantsTable:
        """The table `plants_data`. Raises Refused if its address is not known."""
        dsn = self.known("plants_dsn", "Rows are inserted into plants_data, and its address is not known")
        given = [self.origins[name] for name in ("plants_dsn", "plants_password") if name in self.origins]
        return PlantsTable(dsn, f"Check {' and '.join(given)}.", f"See: {self.logs_of('ingestor')}")

    def logs_of(self, *components: str) -> str:
        """Return where these components say more, for a sentence that begins with "See:"."""
        return f"the logs of {' and '.join(components)}"

    @asynccontextmanager
    async def labeler_as(self, role: Role) -> AsyncIterator[AsyncApi]:
        """Open the labeling API, logged in as this role. Raises Refused or ApiError if that is not possible."""
        url = self.known("labeler", "The address of the labeling API is not known")
        session = await self._log_in(url, role)
        if self.acting is not None and not may_act_as(session.role, role):
            is_and_needs = f"is {with_article(session.role)}, and this needs {with_article(role)}"
            raise Refused(f"{session.name} {is_and_needs}. {self.for_an_operator}")
        async with AsyncApi(url, connecting=self._connecting("labeler")) as labeler:
            labeler.authenticate(session.token)
            yield labeler

    for_an_operator: ClassVar[str] = "Name another login: --as NAME."

    def acting_as(self, name: str) -> Self:
        """Return the same, with all that is done for a person done as this login: its name, or `labeler` or `operator`
        for the login of that role. Raises Refused if its password is not known."""
        known = self._known_logins()
        name = clean_typed(name)
        named = [*known, *(login for role, login in self.logins.items() if role == name)]
        login = next((each for each in named if each.name == name), named[-1] if len(named) > len(known) else None)
        if login is None:
            raise Refused(self._unknown(name, [each.name for each in known]))
        return replace(self, acting=login)

    def _known_logins(self) -> list[Login]:
        """Return every login whose password is known."""
        return [*self.logins.values(), *([self.own] if self.own else [])]

    def _unknown(self, name: str, known: list[str]) -> str:
        """Return what is said about a name without a known password."""
        return (
            f"The password of {name} is not known; those of these logins are: {', '.join(known) or 'none'}. For a login"
            f" of your own: {how_to_give('own_name')}, and likewise own_password."
        )

    @asynccontextmanager
    async def open_predictor(self, retry_for_seconds: float = 60.0) -> AsyncIterator[AsyncApi]:
        """Open the prediction API at its common address."""
        url = self.known("predictor", "The address of the prediction API is not known")
        async with AsyncApi(url, retry_for_seconds, connecting=self._connecting("predictor")) as predictor:
            yield predictor

    @asynccontextmanager
    async def open_replicas(self) -> AsyncIterator[Replicas]:
        """Open every replica of the predictor, by its own address if these are known."""
        advice = f"See: {self.logs_of('trainer-fast')}"
        if not self.replicas:
            url = self.known("predictor", "The address of the prediction API is not known")
            async with AsyncApi(url, connecting=self._connecting("predictor", keep=False)) as common:
                yield OneAddress(common, advice)
            return
        async with AsyncExitStack() as stack:
            connecting = self._connecting("replicas")
            opened = [await stack.enter_async_context(AsyncApi(url, connecting=connecting)) for url in self.replicas]
            yield OwnAddresses(opened, advice)

    async def check_predictor(self) -> None:
        """Ask the predictor, and each replica whose address is known, for its model; it may have none yet. Raises
        ApiError if one does not answer."""
        common = self.known("predictor", "The address of the prediction API is not known")
        for setting, urls in (("predictor", (common,)), ("replicas", self.replicas)):
            for url in urls:
                async with AsyncApi(url, 0, connecting=self._connecting(setting)) as predictor:
                    try:
                        await predictor.send(get_serving_model())
                    except ApiProblem as problem:
                        if problem.status != NO_MODEL:
                            raise

    def may(self, role: Role) -> bool:
        """Return whether a login of this role is known."""
        return role in self.logins

    async def _log_in(self, url: str, role: Role) -> Session:
        """Return a new session of the acting login, else of that of the role."""
        login = self.acting or self.logins.get(role)
        if login is None:
            raise Refused(f"This needs the password of the {role}: {how_to_give(f'{role}_password')}.")
        async with AsyncApi(url, self.first_contact_seconds, connecting=self._connecting("labeler")) as labeler:
            try:
                return await labeler.send(log_in(login.name, login.password))
            except ApiProblem as problem:
                if problem.status != WRONG_LOGIN or not self.origins:
                    raise
                given = self._origin(self._password_setting(login))
                raise Refused(
                    f"{url} does not accept the password of {login.name}, which is from {given}: correct it there."
                ) from problem

    def _password_setting(self, login: Login) -> str:
        """Return the setting that the password of this login is from."""
        of_role = (f"{role}_password" for role, known in self.logins.items() if known is login)
        return next(of_role, "own_password")

    def known(self, setting: str, otherwise: str) -> str:
        """Return the value of a setting. Raises Refused if it is not given, with how to give it."""
        value: str = getattr(self, setting)
        if not value:
            raise Refused(f"{otherwise}: {how_to_give(setting)}.")
        return value

    def _origin(self, setting: str) -> str:
        return self.origins.get(setting, how_to_give(setting))

    def _connecting(self, setting: str, keep: bool = True) -> Connecting:
        """Return how to connect to what the address in `setting` names."""
        key = {"X-Api-Key": self.predictor_key} if self.predictor_key and setting in ("predictor", "replicas") else {}
        return Connecting(self._tls(), key, keep, self.advice(setting))

    def advice(self, setting: str) -> str:
        """Return what to check if what the address in `setting` names does not answer."""
        if setting not in self.origins:
            return LOCAL_STACK
        return f"The address is from {self._origin(setting)}: is it right, and can it be reached from here?"

    def _tls(self) -> ssl.SSLContext | None:
        if self.ca_file is None:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            why = (
                error.strerror if isinstance(error, FileNotFoundError | PermissionError) else "it holds no certificate"
            )
            raise Refused(f"{self.ca_file} from {self._origin('ca_file')} cannot be used: {why}.") from error
