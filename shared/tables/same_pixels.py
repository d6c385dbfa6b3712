"""The table `same_pixels` of a service: which image gives the label of pixels that several images have.

Each service has the table with these two columns, a table `images` with `image_id` and `pixels_sha256`, and a query for
what is said of the images with the same pixels.
"""

from dataclasses import dataclass
from uuid import UUID

from shared.contract.same_pixels import PictureLabel, find_deciding_image
from shared.tables.projection import Transaction


@dataclass(frozen=True, slots=True)
class SamePixels:
    """Writes the table. `pictures` asks for all images with the pixels of the image $1, itself among them, without
    withdrawn ones: `pixels_sha256`, and the fields of PictureLabel."""

    pictures: str

    async def decide(self, image_id: UUID, transaction: Transaction) -> None:
        """Write which image gives the label of the pixels of this image, if others have them, too. A withdrawn one
        decides nothing."""
        rows = await transaction.fetch(self.pictures, image_id)
        if len(rows) < 2:
            return
        pictures = [PictureLabel(**{name: row[name] for name in PictureLabel.__dataclass_fields__}) for row in rows]
        await transaction.execute(
            """INSERT INTO same_pixels (pixels_sha256, image_id) VALUES ($1, $2)
               ON CONFLICT (pixels_sha256) DO UPDATE SET image_id = excluded.image_id""",
            rows[0]["pixels_sha256"],
            find_deciding_image(pictures),
        )

    async def decide_without(self, image_id: UUID, transaction: Transaction) -> None:
        """Decide again about the pixels of this image, which was withdrawn: of fewer than two others nothing is
        written."""
        await transaction.execute(
            """DELETE FROM same_pixels
               WHERE pixels_sha256 = (SELECT pixels_sha256 FROM images WHERE image_id = $1)""",
            image_id,
        )
        await self.decide(image_id, transaction)
