"""The tables of votes: what each person said, and which votes count for the next revision of an image."""

from collections.abc import Sequence

from shared.contract.events import LabelCorrected
from shared.contract.votes import LabelVoted
from shared.tables.projection import Transaction


async def apply_label_voted(event: LabelVoted, transaction: Transaction) -> None:
    """Append the vote; it takes the place of this person's last one, if that is not for a later revision. A repetition
    changes nothing."""
    known = await transaction.fetchval("SELECT EXISTS (SELECT FROM votes WHERE event_id = $1)", event.event_id)
    if known:
        return
    newest = await transaction.fetchval(
        "SELECT revision FROM votes WHERE image_id = $1 AND voted_by = $2 AND stands", event.image_id, event.voted_by
    )
    stands = newest is None or newest <= event.revision
    if stands:
        await transaction.execute(
            "UPDATE votes SET stands = false WHERE image_id = $1 AND voted_by = $2 AND stands",
            event.image_id,
            event.voted_by,
        )
    await transaction.execute(
        """INSERT INTO votes (event_id, image_id, revision, voted_by, label, no_label, voted_at, reason,
                              shown_model_version, shown_label, shown_probability, prediction_id, withdrawn_by, stands)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)""",
        event.event_id,
        event.image_id,
        event.revision,
        event.voted_by,
        event.label,
        event.no_label,
        event.occurred_at,
        event.reason,
        event.shown_model_version,
        event.shown_label,
        event.shown_probability,
        event.prediction_id,
        event.withdrawn_by,
        stands,
    )
    if stands:
        await transaction.execute("SELECT note_votes($1)", event.image_id)


async def count_votes(events: Sequence[LabelCorrected], transaction: Transaction) -> None:
    """Keep whose votes decided these applied revisions, and count the votes for the next ones."""
    await transaction.executemany(
        "SELECT count_votes($1, $2, $3, $4)",
        [(event.image_id, event.event_id, list(event.voters), event.votes_from) for event in events],
    )
