"""Beside the API: equal votes of enough people become one correction of the label.

A reconciler compares the tables with what should be, as everywhere: a lost wake-up, a restart after each line or a
second copy of the labeler does no harm, since the id of the correction follows from the image, its revision and the
decision, and only the first one of a revision is applied.
"""

from collections.abc import Sequence

from services.labeler.decisions.votes import Tally, Vote, VoteRules, tally
from services.labeler.queries.votes import counting_votes, decided_rounds
from shared.contract.events import LabelCorrected, uuid_of
from shared.contract.votes import LabelVoted
from shared.messaging.event_log import Publisher
from shared.runtime.clock import Clock
from shared.runtime.health import Health
from shared.tables.database import Database
from shared.tables.postgres import Row
from shared.tables.reconciler import run_reconciler

PART = "votes"


class VoteDecisions:
    """Publishes what votes have decided."""

    def __init__(
        self, database: Database, publisher: Publisher, rules: VoteRules, clock: Clock, topics: Sequence[str]
    ) -> None:
        """`topics`: all that the tables are folded from."""
        self._database = database
        self._publisher = publisher
        self._rules = rules
        self._clock = clock
        self._regardless_of = set(topics) - {LabelVoted.topic, LabelCorrected.topic}

    async def run(self, health: Health) -> None:
        """Publish after each change, until cancelled. Raises what `run_reconciler` raises."""
        await run_reconciler(
            self.missing,
            publisher=self._publisher,
            database=self._database,
            health=health,
            name=PART,
            regardless_of=self._regardless_of,
        )

    async def missing(self) -> list[LabelCorrected]:
        """Return the corrections that votes have decided and the tables do not show."""
        rounds = await decided_rounds(self._database, self._rules)
        votes = await counting_votes(self._database, [row["image_id"] for row in rounds])
        found = []
        for row in rounds:
            of_image = votes.get(row["image_id"], [])
            decided = tally([Vote(each["voted_by"], each["label"], each["no_label"]) for each in of_image], self._rules)
            if decided.state == "decided":  # else the votes have changed since the first look
                found.append(self._correction(row, decided, of_image))
        return found

    def _correction(self, row: Row, decided: Tally, votes: Sequence[Row]) -> LabelCorrected:
        equal = [each for each in votes if each["voted_by"] in decided.voters]
        last = equal[-1]
        said = decided.label, decided.no_label
        return LabelCorrected(
            event_id=uuid_of(LabelCorrected.topic, "votes", row["image_id"], row["revision"], *said),
            occurred_at=self._clock(),
            causes=tuple(each["event_id"] for each in equal),
            image_id=row["image_id"],
            label_from=row["label"],
            label_to=decided.label,
            no_label=decided.no_label,
            revision=row["revision"],
            corrected_by=", ".join(decided.voters),
            voters=decided.voters,
            reason="; ".join(dict.fromkeys(each["reason"] for each in equal if each["reason"])),
            shown_model_version=last["shown_model_version"],
            shown_label=last["shown_label"],
            shown_probability=last["shown_probability"],
            prediction_id=last["prediction_id"],
        )
