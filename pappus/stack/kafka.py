"""Apache Kafka from its jars: one KRaft node."""

import hashlib
import sys
from pathlib import Path
from string import Template

from pappus.stack import toolchain
from pappus.stack.command import run_command
from pappus.stack.component import Component, Launch, Say
from pappus.stack.context import StackContext
from pappus.stack.files import write_private
from pappus.stack.folders import INFRA, PROJECT
from pappus.stack.kafka_security import ADMIN, secured_properties
from pappus.stack.ports import HOST
from pappus.stack.probes import kafka_answers, kafka_listens
from pappus.stack.settings import maven_repository
from shared.contract.access import acls

FOLDER = INFRA / "local" / "kafka"
POM = FOLDER / "pom.xml"
MEMORY = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
READY_SECONDS = 60.0
QUIET = ("-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true", "-Xlog:disable", "-Xlog:all=error:stderr")


def kafka_component(context: StackContext) -> Component:
    """Return the component of the broker, which is ready when it answers a first request; users and rights follow."""
    broker, controller = context.ports["kafka"], context.ports["kafka-controller"]
    server = _Kafka(context)
    return Component(
        name="kafka",
        group="servers",
        launch=server.launch,
        probe=server.answers,
        provision=server.provision,
        ports={"kafka": broker, "kafka-controller": controller},
        address=f"{HOST}:{broker}",
        grace_seconds=30.0,
        config_hash="secured" if context.config.secure else "",
    )


def jars_name() -> str:
    """Return the name of the jars in the cache: each pom has its own folder."""
    return f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


class _Kafka:
    def __init__(self, context: StackContext) -> None:
        self._context = context
        self._folder = context.state.root / "kafka"
        self._properties = self._folder / "server.properties"
        self._new_archive = self._folder / "classes.jsa"

    async def launch(self, say: Say) -> Launch:
        java, version = await toolchain.JAVA.find_or_fetch(self._context.cache, self._context.environment, say)
        jars = await self._context.cache.folder(jars_name(), lambda target: self._fetch(target, say))
        classpath = ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
        self._write_properties()
        await self._format(java, classpath, say)
        return Launch(
            (
                *(str(java), *MEMORY, *QUIET, *self._class_archive(jars, version)),
                f"-Dlog4j2.configurationFile=file:{FOLDER / 'log4j2.xml'}",
                *("-cp", classpath, "kafka.Kafka", str(self._properties)),
            ),
            self._context.server_environment,
            folder=self._folder,
        )

    async def answers(self) -> bool:
        """Return whether the broker answers the first question that a client may ask it."""
        port = self._context.ports["kafka"]
        trusted = self._context.trusted
        return await (kafka_answers(HOST, port) if trusted is None else kafka_listens(HOST, port, trusted))

    async def provision(self) -> None:
        """Make the users and set their rights, if the stack is secured; repeating it changes nothing."""
        if not self._context.config.secure:
            return
        from shared.messaging.kafka import make_users, set_rights, wait_until_ready  # takes 0.3 s to import

        admin = self._context.kafka_as(ADMIN, "PLAIN")
        passwords = {name: password for name, password in self._context.credentials.kafka.items() if name != ADMIN}
        await wait_until_ready(admin, READY_SECONDS)
        await make_users(admin, passwords)
        await set_rights(admin, acls())

    async def _fetch(self, target: Path, say: Say) -> None:
        say("fetching Kafka's jars (once, 57 MB)")
        environment = self._context.environment
        repository = maven_repository(environment)
        options = ("--repository", repository) if repository else ()
        command = (sys.executable, "-m", "pappus.stack.jars", str(POM), str(target), *options)
        await run_command(command, environment, PROJECT)

    def _write_properties(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        template = Template((FOLDER / "server.properties.template").read_text())
        ports = self._context.ports
        values = {"broker_port": ports["kafka"], "controller_port": ports["kafka-controller"]}
        text = template.substitute(values, data_folder=self._folder / "data")
        if self._context.config.secure:
            authority = self._context.authority
            admin_password = self._context.credentials.kafka[ADMIN]
            text += secured_properties(ports, authority.server("kafka"), authority.certificate, admin_password)
        write_private(self._properties, text)

    async def _format(self, java: Path, classpath: str, say: Say) -> None:
        if (self._folder / "data" / "meta.properties").exists():
            return
        say("formatting the log")
        tool = (
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            "--ignore-formatted",
            "-t",
            self._context.credentials.kafka_cluster,
        )
        command = (str(java), *MEMORY, *QUIET, "-cp", classpath, *tool, "-c", str(self._properties))
        await run_command(command, self._context.server_environment, self._folder)

    def _class_archive(self, jars: Path, java_version: str) -> tuple[str, ...]:
        """Return the options for Java's class data sharing: the first run writes an archive of its loaded classes when
        it stops, later runs start from it (1.8 s instead of 3). An archive fits one Java and one class path."""
        archive = jars / f"classes-{hashlib.sha256(java_version.encode()).hexdigest()[:12]}.jsa"
        if not archive.exists() and self._new_archive.exists():
            self._new_archive.replace(archive)
        if archive.exists():
            return (f"-XX:SharedArchiveFile={archive}",)
        return (f"-XX:ArchiveClassesAtExit={self._new_archive}",)
