"""What a first start fetches and builds, announced before it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from pappus.stack import kafka, s3
from pappus.stack.cache import Cache
from pappus.stack.toolchain import GO, JAVA, Tool

FETCH_SECONDS_PER_MB = 0.2  # on a line of 40 Mbit/s


@dataclass(frozen=True, slots=True)
class Download:
    """A missing download. `disk_mb`: its size on disk; `seconds`: the time it takes after fetching."""

    title: str
    fetch_mb: int
    disk_mb: int
    seconds: int = 0


KAFKA = Download("Kafka's jars", 57, 110, seconds=30)
S3 = Download("the S3 server, built from source", 110, 42, seconds=90)


async def missing_downloads(cache: Cache, environment: Mapping[str, str]) -> list[Download]:
    """Return what the next start of all servers has to fetch or build; empty from the second start on."""
    missing = await _missing_tool(JAVA, cache, environment)
    if not cache.holds(kafka.jars_name()):
        missing.append(KAFKA)
    if not cache.holds(s3.NAME):
        missing += [*await _missing_tool(GO, cache, environment), S3]
    return missing


def announcement(missing: Sequence[Download], cache: Cache) -> str:
    """Return the text that says what is fetched, how much, into which folder, and how long it takes."""
    fetch_mb = sum(each.fetch_mb for each in missing)
    disk_mb = sum(each.disk_mb for each in missing)
    minutes = ceil((sum(each.seconds for each in missing) + fetch_mb * FETCH_SECONDS_PER_MB) / 60)
    return (
        f"The first start brings {', '.join(each.title for each in missing)}: {fetch_mb} MB to fetch, {disk_mb} MB in "
        f"{cache.root}, about {f'{minutes} minutes' if minutes > 1 else 'a minute'}, once."
    )


async def _missing_tool(tool: Tool, cache: Cache, environment: Mapping[str, str]) -> list[Download]:
    if cache.holds(tool.cached) or await tool.find(environment):
        return []
    return [Download(tool.title, tool.fetch_mb, tool.disk_mb)]
