"""What Kafka and its Python client do in the cases that cost messages or minutes, on a real broker.

    python -m bench.kafka_pitfalls --jars FOLDER                   every row, on brokers it starts from these jars
    python -m bench.kafka_pitfalls --jars FOLDER --only restarts   one section
    python -m bench.kafka_pitfalls --bootstrap HOST:PORT           what needs no restart, on a broker that runs

All of it takes about 15 minutes, most of them waiting for sessions to end. docs/kafka.md says what follows.
"""

import argparse
import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bench.kafka_pitfalls.broker import Installation, running_broker
from bench.kafka_pitfalls.rows import Row
from bench.kafka_pitfalls.sections import NEEDS_ADDRESS, NEEDS_JARS


async def measure_with_jars(jars: Path, java: str, sections: Sequence[str]) -> None:
    """Print the rows of these sections, each as soon as it is measured."""
    with tempfile.TemporaryDirectory(prefix="kafka-pitfalls-") as folder:
        installation = Installation(jars, java, Path(folder))
        print(f"Kafka {installation.version}\n", flush=True)
        for name in filter(NEEDS_JARS.__contains__, sections):
            await _print(NEEDS_JARS[name](installation))
        async with running_broker(installation, "shared") as broker:
            await measure_at(broker.bootstrap, sections)


async def measure_at(bootstrap: str, sections: Sequence[str]) -> None:
    """Print the rows of those sections that need only an address."""
    for name in filter(NEEDS_ADDRESS.__contains__, sections):
        await _print(NEEDS_ADDRESS[name](bootstrap))


async def _print(rows: AsyncIterator[Row]) -> None:
    async for row in rows:
        print(row, flush=True)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = arguments.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--jars", type=lambda text: Path(text).absolute(), help="a folder with Kafka's jars and nothing else"
    )
    where.add_argument("--bootstrap", metavar="HOST:PORT")
    arguments.add_argument("--java", default="java")
    arguments.add_argument("--only", nargs="+", choices=[*NEEDS_JARS, *NEEDS_ADDRESS], metavar="SECTION")
    options = arguments.parse_args()
    chosen = options.only or [*NEEDS_JARS, *NEEDS_ADDRESS]
    if options.jars:
        asyncio.run(measure_with_jars(options.jars, options.java, chosen))
    else:
        asyncio.run(measure_at(options.bootstrap, chosen))
