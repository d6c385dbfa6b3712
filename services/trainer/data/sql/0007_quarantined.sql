-- image.stored: the image resembles images on both sides of the split, so it is in neither training nor tests.
ALTER TABLE images ADD COLUMN quarantined boolean NOT NULL DEFAULT false;
CREATE OR REPLACE VIEW usable_images AS
    SELECT * FROM images i WHERE NOT EXISTS (SELECT FROM withdrawn_images w WHERE w.image_id = i.image_id);
