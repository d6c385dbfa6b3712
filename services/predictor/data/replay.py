"""Folds the predictor's table anew from the log: `python -m services.predictor.data.replay`. The services may run
meanwhile."""

from services.predictor.data.projection import MIGRATIONS, SCHEMA, appliers
from services.predictor.settings import PredictorSettings
from shared.messaging.kafka import open_log
from shared.runtime.process import run
from shared.runtime.telemetry import configure
from shared.tables.replay import replay


async def main() -> None:
    """Predictions older than the topic's retention are not there any more, so the new table begins with its oldest
    record."""
    settings = PredictorSettings()
    configure("predictor-replay", settings)
    async with open_log(settings.kafka_bootstrap) as events:
        await replay(events, settings.database_url.get_secret_value(), SCHEMA, MIGRATIONS, appliers())


if __name__ == "__main__":
    run(main)
