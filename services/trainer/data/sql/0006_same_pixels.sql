-- image.stored: the hash of the decoded pixels; null for events of earlier releases.
ALTER TABLE images ADD COLUMN pixels_sha256 text;
CREATE INDEX images_of_pixels ON images (pixels_sha256) WHERE pixels_sha256 IS NOT NULL;

-- With the new column.
CREATE OR REPLACE VIEW usable_images AS
    SELECT * FROM images i WHERE NOT EXISTS (SELECT FROM withdrawn_images w WHERE w.image_id = i.image_id);

-- image.stored with label.corrected and image.withdrawn: of pixels that several images have, the image whose label counts for all of
-- them. Whichever event comes last writes the row, which follows from the three tables.
CREATE TABLE same_pixels (
    pixels_sha256 text PRIMARY KEY,
    image_id      uuid NOT NULL
);

-- The usable images that another one with the same pixels decides about.
CREATE VIEW overruled_images AS
    SELECT i.image_id, s.image_id AS deciding_image
    FROM same_pixels s JOIN usable_images i USING (pixels_sha256) WHERE i.image_id <> s.image_id;
