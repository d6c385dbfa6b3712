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
from pappus.stack.ports import HOST
from pappus.stack.probes import kafka_answers
from pappus.stack.settings import maven_repository

FOLDER = INFRA / "local" / "kafka"
POM = FOLDER / "pom.xml"
MEMORY = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
QUIET = ("-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true", "-Xlog:disable", "-Xlog:all=error:stderr")


def kafka_component(context: StackContext) -> Component:
    """Return the component of the broker, which is ready when it answers a metadata request."""
    broker, controller = context.ports["kafka"], context.ports["kafka-controller"]
    return Component(
        name="kafka",
        group="servers",
        launch=_Kafka(context).launch,
        probe=lambda: kafka_answers(HOST, broker),
        ports={"kafka": broker, "kafka-controller": controller},
        address=f"{HOST}:{broker}",
        grace_seconds=30.0,
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
        write_private(self._properties, template.substitute(values, data_folder=self._folder / "data"))

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
