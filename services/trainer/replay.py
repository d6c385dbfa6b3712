"""`python -m services.trainer.replay`: fold the trainer's topics again into new tables and swap them in.

Publishes nothing, trains nothing, fetches nothing; the services may run meanwhile.
"""

from services.trainer.settings import TrainerSettings
from services.trainer.tables import MIGRATIONS, SCHEMA, appliers
from shared.kafka import open_log
from shared.replay import replay
from shared.service import run
from shared.telemetry import configure


async def main() -> None:
    """Replay once; what it did is logged."""
    settings = TrainerSettings()
    configure("trainer-replay", settings)
    async with open_log(settings.kafka_bootstrap) as events:
        await replay(events, settings.database_url.get_secret_value(), SCHEMA, MIGRATIONS, appliers())


if __name__ == "__main__":
    run(main)
