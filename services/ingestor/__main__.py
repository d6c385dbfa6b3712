"""The ingestor: from a URL or an upload to verified bytes in the object store.

Consumes image.*, label.corrected and label_set.changed. Publishes image.registered (announcer), image.stored and
image.rejected (fetcher). Owns schema `ingestor` and the objects under images/.
"""

from services.ingestor.announcer import ANNOUNCER, Announcer
from services.ingestor.data.ledger import Ledger
from services.ingestor.data.logins import Logins
from services.ingestor.data.projection import FOLD_VERSION, MIGRATIONS, PROJECTION, SCHEMA, Tables
from services.ingestor.handlers import GROUP, UPLOADS_GROUP, Fetcher
from services.ingestor.precedence import Precedence
from services.ingestor.settings import SOURCE, IngestorSettings
from services.ingestor.withdrawals import Withdrawals
from shared.messaging.kafka import open_event_log
from shared.runtime.clock import utc_now
from shared.runtime.health import Health, serve_health
from shared.runtime.process import run, run_parts
from shared.runtime.telemetry import configure
from shared.storage.object_store import open_object_store
from shared.tables.database import Database
from shared.tables.label_set import KnownClasses
from shared.tables.projection import Projection
from shared.web.download.downloader import Downloader


async def main() -> None:
    """Read the settings, open the adapters and run the parts until the process is asked to end."""
    configure("ingestor", settings := IngestorSettings())
    health = Health(needed=(ANNOUNCER, GROUP, UPLOADS_GROUP, PROJECTION))
    async with (
        serve_health(health, settings.health_port, settings.host),
        open_event_log(settings.kafka, settings.lost_records) as event_log,
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS, settings.connections) as database,
        open_object_store(settings) as store,
        Downloader.open(settings, login_of=Logins(database).of) as downloads,
        event_log.publisher(SOURCE) as publisher,
    ):
        precedence = Precedence()
        announcer = Announcer(
            database, publisher, settings.announcements, settings.announce_every_seconds, utc_now, precedence
        )
        tables, silence = Tables(settings.s3_bucket, settings.max_attempts), settings.writer_silence_seconds
        projection = Projection(
            event_log, database, tables.projectors, health, silence_seconds=silence, fold_version=FOLD_VERSION
        )
        ledger, classes = Ledger(database, utc_now), KnownClasses(event_log, database, settings.labels)
        fetcher = Fetcher(downloads, store, ledger, settings.acceptance, precedence, classes)
        await run_parts(
            health,
            announcer=announcer.run(health),
            **fetcher.parts(event_log, health, downloads_at_once=settings.fetch_concurrency, **settings.in_groups),
            withdrawals=Withdrawals(ledger, store).run(event_log, health, settings.in_groups),
            projection=projection.run(),
        )


if __name__ == "__main__":
    run(main)
