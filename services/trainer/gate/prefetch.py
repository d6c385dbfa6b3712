"""Champion and anchor, their features and answers, in memory before a candidate comes."""

import asyncio

from services.trainer.data import queries
from services.trainer.gate.cases import GateContext
from shared.contract.trials import TrialCompared
from shared.runtime.errors import TransientError
from shared.runtime.health import Health

PART = "prefetch"
PAUSE_SECONDS = 1.0
EVERY_SECONDS = 30.0
QUIET_SECONDS = 0.5
LONGEST_SECONDS = 30.0
"""While the tables change without a pause, as when hundreds of images come in at once, this waits so long at most."""


async def run_prefetch(context: GateContext, health: Health) -> None:
    """Load after each change of the tables, at most once a second. It only saves time: what it misses is loaded when a
    candidate is evaluated. An artefact that cannot be loaded turns health red."""
    database, evaluator, models = context.database, context.evaluator, context.models
    async with database.changes((TrialCompared.topic,)) as changes:
        while True:
            try:
                evaluator.forget(await queries.withdrawn_digests(database))
                champion = await models.champion()
                if champion is not None:
                    await evaluator.prefetch(champion, await models.anchor())
                health.set(PART, True)
            except TransientError as error:
                health.set(PART, False, str(error))
            await asyncio.sleep(PAUSE_SECONDS)
            if await changes.wait(EVERY_SECONDS):
                await changes.wait_until_quiet(QUIET_SECONDS, LONGEST_SECONDS)
