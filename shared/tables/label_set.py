"""The table `label_sets` of a service: the classes of the installation, folded from label_set.changed."""

from collections.abc import Sequence

from shared.contract.label_set import LabelSet, LabelSetChanged, configured, with_configured
from shared.contract.race_rules import label_set_counts
from shared.messaging.event_log import EventLog
from shared.tables.database import Database, Transaction
from shared.tables.projection import wait_until_caught_up

_NEWEST = "SELECT event FROM label_sets ORDER BY revision DESC LIMIT 1"


async def apply_label_set_changed(event: LabelSetChanged, transaction: Transaction) -> None:
    """Insert the change if it counts; one that is repeated, or came second, is not the last plus one."""
    last = await transaction.fetchval("SELECT coalesce(max(revision), 0) FROM label_sets")
    if label_set_counts(last, event.revision):
        await transaction.execute(
            "INSERT INTO label_sets (revision, event_id, event) VALUES ($1, $2, $3)",
            event.revision,
            event.event_id,
            event.model_dump(mode="json"),
        )


async def read_changed_classes(tables: Database | Transaction) -> LabelSet | None:
    """Return the classes as people changed them last; None if they never did. Raises TransientError."""
    found = await tables.fetchval(_NEWEST)
    if found is None:
        return None
    event = LabelSetChanged.model_validate(found)
    return LabelSet(event.classes, event.revision)


async def read_label_set(tables: Database | Transaction, labels: Sequence[str]) -> LabelSet:
    """Return the classes as the tables show them; `labels` are the configured ones. Raises TransientError."""
    return with_configured(await read_changed_classes(tables), labels)


class KnownClasses:
    """The classes of the installation; `labels` are the configured ones."""

    def __init__(
        self, event_log: EventLog, database: Database, labels: Sequence[str], caught_up_seconds: float = 10.0
    ) -> None:
        self._event_log = event_log
        self._database = database
        self._labels = labels
        self._caught_up_seconds = caught_up_seconds
        self._known = configured(labels)

    async def including(self, text: str | None) -> LabelSet:
        """Return the classes, among them the one that is or was called so, None for no particular one. If the tables
        show no such class, all of label_set.changed is folded first: a class is used as soon as it is added. Raises
        TransientError if log or tables do not answer in time."""
        if text is None or self._known.label_of(text) is not None:  # what a class was called stays its own
            return self._known
        self._known = await read_label_set(self._database, self._labels)
        if self._known.label_of(text) is None:
            await wait_until_caught_up(
                self._event_log, self._database, (LabelSetChanged.topic,), self._caught_up_seconds
            )
            self._known = await read_label_set(self._database, self._labels)
        return self._known
