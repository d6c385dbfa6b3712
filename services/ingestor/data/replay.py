"""`python -m services.ingestor.data.replay`: fold the ingestor's topics again from their beginning, into new tables.

Nothing is fetched, decided or published. Kept are the rows people put into `plants_data` with the announcer's marks,
and the fetcher's ledger; everything else comes out of the log.
"""

from services.ingestor.data.projection import INPUT_TABLES, MIGRATIONS, SCHEMA, Tables
from services.ingestor.settings import IngestorSettings
from shared.messaging.kafka import open_log
from shared.runtime.process import run
from shared.runtime.telemetry import configure
from shared.tables.replay import replay


async def main() -> None:
    """Replay once; what it did is logged."""
    settings = IngestorSettings()
    configure("ingestor-replay", settings)
    async with open_log(settings.kafka_bootstrap) as log:
        url = settings.database_url.get_secret_value()
        await replay(
            log, url, SCHEMA, MIGRATIONS, Tables(settings.s3_bucket, settings.max_attempts).appliers, INPUT_TABLES
        )


if __name__ == "__main__":
    run(main)
