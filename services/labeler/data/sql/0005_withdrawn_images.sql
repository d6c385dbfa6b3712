-- image.withdrawn: a person took the image back; the first announcement counts. Its bytes and its prediction are gone, what people
-- said about it stays as history.
ALTER TABLE images ADD COLUMN withdrawn_event_id uuid, ADD COLUMN withdrawn_by text, ADD COLUMN withdrawn_reason text,
                   ADD COLUMN withdrawn_sha256 text, ADD COLUMN withdrawn_at timestamptz, ADD COLUMN seen_by text[];
CREATE INDEX images_withdrawn_with_bytes ON images (withdrawn_sha256) WHERE withdrawn_sha256 IS NOT NULL;

DROP VIEW current_images;
CREATE VIEW current_images AS
    SELECT *,
           CASE WHEN held_revision > 0 THEN corrected_label ELSE coalesce(stored_label, registered_label) END AS label,
           CASE WHEN held_revision > 0 THEN 'reviewed' ELSE coalesce(stored_trust, registered_trust, 'claimed') END AS trust,
           stored_at IS NOT NULL AND withdrawn_at IS NULL AND (held_revision = 0 OR no_label = 'unsure') AS to_review
    FROM images;
