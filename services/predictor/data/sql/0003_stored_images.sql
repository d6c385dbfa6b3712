-- image.stored with image.scored: which images there are, and which model answered about each last.
CREATE TABLE stored_images (
    image_id          uuid PRIMARY KEY,
    -- image.stored: the first announcement counts
    stored_event_id   uuid,
    sha256            text,
    object_key        text,
    awaits_review     boolean,      -- it came without a trusted label
    stored_at         timestamptz,
    -- image.scored: the last one on the log counts; null without an answer
    full_model_sha256 text,
    sequence          integer
);
CREATE INDEX stored_images_in_order ON stored_images (awaits_review DESC, image_id);
CREATE INDEX stored_images_of_model ON stored_images (full_model_sha256);
