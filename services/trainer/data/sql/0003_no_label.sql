-- label.corrected may take a label away. held_revision is the decision that holds since this revision: itself, an earlier one
-- that a withdrawal restored, or 0 (the image is as it was stored). label is the label of that decision, null for none.
ALTER TABLE corrections ALTER COLUMN label DROP NOT NULL;
ALTER TABLE corrections ADD COLUMN held_revision integer;
UPDATE corrections SET held_revision = revision;
ALTER TABLE corrections ALTER COLUMN held_revision SET NOT NULL;

-- The newest applied correction of an image, with the decision that holds since.
CREATE OR REPLACE VIEW newest_corrections AS
    SELECT DISTINCT ON (image_id) * FROM corrections ORDER BY image_id, revision DESC;
