"""What the labeler knows of images with the same pixels, one of which gives their label."""

from shared.tables.same_pixels import SamePixels

SAME_PIXELS = SamePixels(
    """SELECT same.pixels_sha256, same.image_id, same.stored_label AS label, same.stored_trust AS trust,
              same.stored_at, decision.occurred_at AS decided_at
       FROM images one JOIN images same USING (pixels_sha256)
       LEFT JOIN label_history decision ON decision.applied
           AND (decision.image_id, decision.revision) = (same.image_id, same.held_revision)
       WHERE one.image_id = $1 AND same.withdrawn_at IS NULL"""
)
