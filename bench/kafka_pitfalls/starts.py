"""How long a broker takes to answer: from scratch, from an archive of its classes, after kill -9."""

from collections.abc import AsyncIterator

from bench.kafka_pitfalls.broker import Installation, formatted_broker
from bench.kafka_pitfalls.rows import Row, format_durations

ROUNDS = 5
KILL_ROUNDS = 3
DEFAULT_SESSION = {"broker.session.timeout.ms": "9000", "broker.heartbeat.interval.ms": "2000"}
SHORT_SESSION = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}


async def broker_starts(installation: Installation) -> AsyncIterator[Row]:
    """Yield rows on the start of a broker whose log is empty, with and without an archive of classes (AppCDS)."""
    archive = installation.folder / "classes.jsa"
    plain, megabytes = await _starts(installation, ())
    yield Row("broker start", f"{format_durations(plain)}, {megabytes:.0f} MB resident")
    async with formatted_broker(installation, "archive", options=(f"-XX:ArchiveClassesAtExit={archive}",)) as broker:
        await broker.start()
        await broker.stop()
    shared, megabytes = await _starts(installation, (f"-XX:SharedArchiveFile={archive}",))
    yield Row("broker start from an archive of its classes", f"{format_durations(shared)}, {megabytes:.0f} MB resident")


async def after_kill(installation: Installation) -> AsyncIterator[Row]:
    """Yield rows on the time a killed broker takes until it is a member of its own cluster again."""
    for what, session in (("9 s, the default", DEFAULT_SESSION), ("3 s", SHORT_SESSION)):
        seconds = []
        async with formatted_broker(installation, "killed", session) as broker:
            await broker.start()
            for _ in range(KILL_ROUNDS):
                await broker.kill()
                seconds.append(await broker.start())
        yield Row(f"ready again after kill -9, broker session {what}", format_durations(seconds))


async def _starts(installation: Installation, options: tuple[str, ...]) -> tuple[list[float], float]:
    seconds, megabytes = [], 0.0
    async with formatted_broker(installation, "start", options=options) as broker:
        for _ in range(ROUNDS):
            seconds.append(await broker.start())
            megabytes = broker.resident_megabytes()
            await broker.stop()
    return seconds, megabytes
