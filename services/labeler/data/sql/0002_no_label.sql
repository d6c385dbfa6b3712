-- label.corrected may take a label away. held_revision is the decision that holds since a revision: itself, an earlier one that
-- a withdrawal restored, or 0 (the image is as it was stored); held_label is its label, null for none.
ALTER TABLE images ADD COLUMN held_revision integer NOT NULL DEFAULT 0, ADD COLUMN no_label text;
UPDATE images SET held_revision = revision;
DROP INDEX images_to_review;
CREATE INDEX images_to_review ON images (image_id)
    WHERE stored_at IS NOT NULL AND (held_revision = 0 OR no_label = 'unsure');

ALTER TABLE label_history ALTER COLUMN label_to DROP NOT NULL;
ALTER TABLE label_history ADD COLUMN no_label text, ADD COLUMN held_revision integer NOT NULL DEFAULT 0,
                          ADD COLUMN held_label text;
UPDATE label_history SET held_revision = revision, held_label = label_to;

-- The images with the label that holds, how far it is believed, and whether a person should look at them.
CREATE VIEW current_images AS
    SELECT *,
           CASE WHEN held_revision > 0 THEN corrected_label ELSE coalesce(stored_label, registered_label) END AS label,
           CASE WHEN held_revision > 0 THEN 'reviewed' ELSE coalesce(stored_trust, registered_trust, 'claimed') END AS trust,
           stored_at IS NOT NULL AND (held_revision = 0 OR no_label = 'unsure') AS to_review
    FROM images;
