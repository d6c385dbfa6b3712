-- What one person decided, and which images were refused or grouped because of another.
CREATE INDEX label_history_of_person ON label_history (corrected_by);
CREATE INDEX images_that_are_duplicates ON images (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX images_of_group ON images (group_id);
