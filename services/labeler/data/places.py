"""The table of places: where each image lies in the space of the full model that answered last."""

from collections.abc import Mapping
from uuid import UUID

from shared.contract.image_scored import ScoredAnswer
from shared.contract.place import decode_place
from shared.tables.postgres import Transaction


async def place_images(answers: Mapping[UUID, ScoredAnswer], transaction: Transaction) -> None:
    """Write the place of each image's answer, or delete the one before it if the answer has none. The same place again
    writes nothing: a changed one costs an insertion into its index."""
    nowhere = [image_id for image_id, answer in answers.items() if answer.place is None]
    if nowhere:
        await transaction.execute("DELETE FROM places WHERE image_id = ANY($1)", nowhere)
    await transaction.executemany(
        """INSERT INTO places AS known (image_id, full_model_sha256, place) VALUES ($1, $2, $3::text::halfvec)
           ON CONFLICT (image_id) DO UPDATE SET
               full_model_sha256 = excluded.full_model_sha256, place = excluded.place
           WHERE known.full_model_sha256 <> excluded.full_model_sha256 OR known.place <> excluded.place""",
        [
            (image_id, answer.full_model_sha256, str(list(decode_place(answer.place))))
            for image_id, answer in answers.items()
            if answer.place is not None
        ],
    )
