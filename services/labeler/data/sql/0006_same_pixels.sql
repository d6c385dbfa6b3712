-- image.stored: the hash of the decoded pixels; null for events of earlier releases.
ALTER TABLE images ADD COLUMN pixels_sha256 text;
-- image.stored: the groups on different sides of the split that the image resembles; empty for almost all.
ALTER TABLE images ADD COLUMN joins text[] NOT NULL DEFAULT '{}';
CREATE INDEX images_in_quarantine ON images (stored_at) WHERE joins <> '{}';
CREATE INDEX images_of_pixels ON images (pixels_sha256) WHERE pixels_sha256 IS NOT NULL;

-- image.stored with label.corrected and image.withdrawn: of pixels that several images have, the image whose label counts for all of
-- them. Whichever event comes last writes the row, which follows from the tables of the three.
CREATE TABLE same_pixels (
    pixels_sha256 text PRIMARY KEY,
    image_id      uuid NOT NULL
);

-- The images with the label that holds, how far it is believed, and whether a person should look at them. label_of is the image
-- with the same pixels whose label counts for this one, too; null where that is the image itself.
DROP VIEW current_images;
CREATE VIEW current_images AS
    SELECT images.*, other.image_id AS label_of,
           CASE WHEN other.held_revision > 0 THEN other.corrected_label
                WHEN other.image_id IS NOT NULL THEN other.stored_label
                WHEN images.held_revision > 0 THEN images.corrected_label
                ELSE coalesce(images.stored_label, images.registered_label) END AS label,
           CASE WHEN other.held_revision > 0 THEN 'reviewed'
                WHEN other.image_id IS NOT NULL THEN other.stored_trust
                WHEN images.held_revision > 0 THEN 'reviewed'
                ELSE coalesce(images.stored_trust, images.registered_trust, 'claimed') END AS trust,
           images.stored_at IS NOT NULL AND images.withdrawn_at IS NULL
               AND (images.held_revision = 0 OR images.no_label = 'unsure')
               AND (other.image_id IS NULL OR other.held_revision = 0 OR other.no_label = 'unsure') AS to_review
    FROM images
    LEFT JOIN same_pixels ON same_pixels.pixels_sha256 = images.pixels_sha256 AND same_pixels.image_id <> images.image_id
        AND images.withdrawn_at IS NULL
    LEFT JOIN images other ON other.image_id = same_pixels.image_id;
