"""`python -m services.trainer.lineage QUESTION`: where models come from. Reads tables and object store; publishes
nothing, and writes nothing but the folder of a checkout. The answer is the field `answer` of a log line.

    reproduce VERSION        make the model again, and compare
    compare VERSION VERSION  how two data sets differ
    checkout VERSION FOLDER  the images of a data set as files
    seen IMAGE               which full models have seen an image
    artefacts                which artefacts are kept, and which the next sweep deletes
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from services.trainer.data.projection import MIGRATIONS, SCHEMA
from services.trainer.full_lane.settings import FullLaneSettings
from services.trainer.lineage import answers, artefacts, checkout
from services.trainer.lineage.models import ModelReader
from services.trainer.lineage.reproduce import reproduce
from services.trainer.settings import TrainerSettings
from shared.runtime.process import run
from shared.runtime.telemetry import configure, logger
from shared.storage.object_store import open_object_store
from shared.tables.database import Database


async def answer(reader: ModelReader, question: Sequence[str]) -> dict[str, Any]:
    """Return the answer. Raises PappusError if there is none."""
    match question:
        case ["reproduce", version]:
            return (await reproduce(reader, version)).document()
        case ["compare", first, second]:
            return await answers.compare(reader, first, second)
        case ["checkout", version, folder]:
            return await checkout.check_out(reader, version, Path(folder))
        case ["seen", image]:
            return await answers.seen(reader, UUID(image))
        case ["artefacts"]:
            return await artefacts.sweep_ahead(reader, FullLaneSettings())
    sys.exit(__doc__)


async def main() -> None:
    """Answer once, as the command line says."""
    settings = TrainerSettings()
    configure("trainer-lineage", settings, trace_ratio=0.0)
    async with (
        Database.open(settings.database_dsn, SCHEMA, MIGRATIONS, connections=2) as database,
        open_object_store(settings) as store,
    ):
        logger.info("answered", answer=await answer(ModelReader(database, store), sys.argv[1:]))


if __name__ == "__main__":
    run(main)
