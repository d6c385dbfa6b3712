"""`python -m services.trainer.data.replay`: fold the trainer's topics again into new tables and swap them in.

Publishes nothing, trains nothing, fetches nothing; the services may run meanwhile.
"""

from services.trainer.data.projection import MIGRATIONS, SCHEMA, appliers
from services.trainer.settings import TrainerSettings
from shared.messaging.kafka import open_log
from shared.runtime.process import run
from shared.runtime.telemetry import configure
from shared.tables.replay import replay


async def main() -> None:
    """Replay once; what it did is logged."""
    settings = TrainerSettings()
    configure("trainer-replay", settings)
    async with open_log(settings.kafka_bootstrap) as events:
        await replay(events, settings.database_url.get_secret_value(), SCHEMA, MIGRATIONS, appliers())


if __name__ == "__main__":
    run(main)
