"""One Kafka node in a folder of its own: started from a folder of jars, killed, and started again."""

import asyncio
import base64
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from time import perf_counter

import psutil
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]

TEMPLATE = Path(__file__).parents[2] / "infra" / "local" / "kafka" / "server.properties.template"
LOGGING = TEMPLATE.with_name("log4j2.xml")
JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
JVM_NETWORK = "-Djava.net.preferIPv4Stack=true"
START_SECONDS = 300.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Installation:
    """Where Kafka's jars and the `java` command are, and the folder that takes everything the brokers write."""

    jars: Path
    java: str
    folder: Path

    @property
    def version(self) -> str:
        """The one version of kafka-clients on the class path. Raises SystemExit when there is none or more than one:
        the broker would mix two."""
        found = sorted(self.jars.glob("kafka-clients-*.jar"))
        if len(found) != 1:
            names = ", ".join(jar.name for jar in found) or "none"
            raise SystemExit(
                f"{self.jars} must hold one kafka-clients jar, but there is {names}. Name its version in the pom."
            )
        return found[0].stem.removeprefix("kafka-clients-")

    def command(self, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """Return a command line that runs one of Kafka's classes."""
        classpath = ":".join(str(jar) for jar in sorted(self.jars.glob("*.jar")))
        logging = f"-Dlog4j2.configurationFile=file:{LOGGING}"
        return [self.java, *JVM, JVM_NETWORK, *options, logging, "-cp", classpath, *arguments]


@dataclass
class Broker:
    """One node. `settings` are added to those of the local stack and win over them; `options` go to the JVM;
    `credentials` are what a client needs to log in."""

    installation: Installation
    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    credentials: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port, self._controller_port = _free_ports(2)
        self.folder = self.installation.folder / f"{self.name}-{uuid.uuid4().hex[:8]}"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def bootstrap(self) -> str:
        """Its address for clients."""
        return f"127.0.0.1:{self.port}"

    async def format(self, *arguments: str) -> None:
        """Write the properties and make an empty log."""
        self.folder.mkdir(parents=True)
        template = Template(TEMPLATE.read_text())
        ports = {"broker_port": self.port, "controller_port": self._controller_port}
        values = {**ports, "data_folder": self.folder / "data"}
        added = [f"{key}={Template(value).substitute(values)}" for key, value in self.settings.items()]
        self._properties.write_text("\n".join([template.substitute(values), *added, ""]))
        tool = ("kafka.tools.StorageTool", "format", "--standalone", "-t", _cluster_id(), "-c", str(self._properties))
        await run(self.installation.command(*tool, *arguments))

    async def launch(self) -> None:
        """Start the process; does not wait until it answers."""
        with (self.folder / "broker.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.installation.command("kafka.Kafka", str(self._properties), options=self.options),
                stdout=output,
                stderr=output,
            )

    async def start(self) -> float:
        """Start the process and wait until it is ready. Returns: the seconds that took."""
        began = perf_counter()
        await self.launch()
        await wait_until_ready(self.bootstrap, self.credentials)
        return perf_counter() - began

    async def kill(self) -> None:
        """End the process with SIGKILL."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End the process with SIGTERM, and with SIGKILL if it takes longer than STOP_SECONDS."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._end(signal.SIGTERM)
        except TimeoutError:
            await self.kill()

    def resident_megabytes(self) -> float:
        """Return the resident memory of the process."""
        if self._process is None:
            raise RuntimeError(f"Broker {self.name} does not run; start it first.")
        return float(psutil.Process(self._process.pid).memory_info().rss / 1e6)

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    async def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()


@asynccontextmanager
async def formatted_broker(
    installation: Installation, name: str, settings: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> AsyncIterator[Broker]:
    """Yield a broker with an empty log that does not run yet; killed at the end."""
    broker = Broker(installation, name, settings or {}, options)
    await broker.format()
    try:
        yield broker
    finally:
        await broker.kill()


@asynccontextmanager
async def running_broker(
    installation: Installation, name: str, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Broker]:
    """Yield a broker that is ready; killed at the end."""
    async with formatted_broker(installation, name, settings) as broker:
        await broker.start()
        yield broker


async def wait_until_ready(bootstrap: str, credentials: Mapping[str, str]) -> None:
    """Wait until a metadata request names a broker: an open port is not enough. Raises TimeoutError."""
    host, port = bootstrap.split(":")
    async with asyncio.timeout(START_SECONDS):
        while not (await _listens(host, int(port)) and await _has_broker(bootstrap, credentials)):  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)


async def run(command: Sequence[str]) -> str:
    """Run a command to its end. Returns: what it printed. Raises RuntimeError with that if it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"{command[-1]} ended with {process.returncode}; check its arguments: {output[-2000:]}")
    return output


async def _listens(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def _has_broker(bootstrap: str, credentials: Mapping[str, str]) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2_000, **credentials)
    try:
        async with asyncio.timeout(5):
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _cluster_id() -> str:
    """Return 22 characters, base64 of a random UUID, without a leading dash that would be read as an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text
