"""Whether the log is the one that tables were folded from: asked before something is deleted for what they say."""

from collections.abc import Sequence

from shared.messaging.event_log import EventLog
from shared.runtime.errors import LogReplaced
from shared.tables.database import Database
from shared.tables.positions import READ, find_replacement, from_rows


async def check_same_log(event_log: EventLog, database: Database, topics: Sequence[str]) -> None:
    """Compare the last record that was folded of each partition with the log.

    Raises:
        LogReplaced: it is another log, which these tables know nothing of, however far they are.
        TransientError: the log or PostgreSQL is away.
    """
    async with event_log.reader(topics) as reader:
        replaced = await find_replacement(from_rows(await database.fetch(READ)), reader)
    if replaced:
        raise LogReplaced(replaced)
