"""Fold the labeler's tables anew from the log: `python -m services.labeler.data.replay`. The API may go on
meanwhile."""

from services.labeler.data.projection import APPLIERS
from services.labeler.settings import MIGRATIONS, SCHEMA, LabelerSettings
from shared.messaging.kafka import open_log
from shared.runtime.process import run
from shared.runtime.telemetry import configure
from shared.tables.replay import replay

INPUTS = ("users",)
"""People are input, and no event changes them; everything else is in the log, except predictions that have expired
there."""


async def main() -> None:
    settings = LabelerSettings()
    configure("labeler-replay", settings)
    async with open_log(settings.kafka_bootstrap) as records:
        await replay(records, settings.database_url.get_secret_value(), SCHEMA, MIGRATIONS, APPLIERS, inputs=INPUTS)


if __name__ == "__main__":
    run(main)
