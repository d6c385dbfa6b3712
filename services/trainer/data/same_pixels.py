"""What the trainer knows of images with the same pixels, one of which gives their label."""

from shared.tables.same_pixels import SamePixels

SAME_PIXELS = SamePixels(
    """SELECT same.pixels_sha256, same.image_id, same.label, same.trust, same.stored_at,
              held.corrected_at AS decided_at
       FROM images one JOIN usable_images same USING (pixels_sha256)
       LEFT JOIN LATERAL (SELECT held_revision FROM corrections WHERE corrections.image_id = same.image_id
                          ORDER BY revision DESC LIMIT 1) newest ON true
       LEFT JOIN corrections held ON (held.image_id, held.revision) = (same.image_id, newest.held_revision)
       WHERE one.image_id = $1"""
)
