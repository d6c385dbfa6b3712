"""Starts the broker with the properties that the environment names, as the image apache/kafka does."""

import os
import subprocess
import sys
from pathlib import Path

HOME = Path("/opt/kafka")
NOT_PROPERTIES = {"KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JMX_OPTS"}


def main() -> None:
    """Write the properties, format the log the first time, and become the broker."""
    named = {
        name: value for name, value in os.environ.items() if name.startswith("KAFKA_") and name not in NOT_PROPERTIES
    }
    properties = {_property(name): value for name, value in named.items()}
    file = Path("/tmp/server.properties")  # noqa: S108 - the only place that may be written beside the log
    file.write_text("".join(f"{name}={value}\n" for name, value in sorted(properties.items())))
    java = [str(HOME / "java/bin/java"), *os.environ.get("KAFKA_HEAP_OPTS", "-Xms128m -Xmx512m").split()]
    java += [*os.environ.get("KAFKA_OPTS", "").split(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    java += [f"-Dlog4j2.configurationFile=file:{HOME / 'log4j2.xml'}", "-cp", f"{HOME / 'jars'}/*"]
    if not Path(properties["log.dirs"], "meta.properties").exists():
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", os.environ["CLUSTER_ID"]]
        standalone = [] if "controller.quorum.voters" in properties else ["--standalone"]
        subprocess.run([*java, *tool, *standalone, "-c", str(file)], check=True)  # noqa: S603
    os.execv(java[0], [*java, "kafka.Kafka", str(file)])  # noqa: S606 - it becomes the broker, which gets the signals


def _property(name: str) -> str:
    """KAFKA_LOG_DIRS is log.dirs; two underscores stand for one, three for a dash."""
    text = name.removeprefix("KAFKA_").lower()
    return text.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")


if __name__ == "__main__":
    sys.exit(main())
