-- image.withdrawn: images that a person took back. What was answered about them, or about the same bytes, is in no table any more.
CREATE TABLE withdrawn_images (
    image_id uuid PRIMARY KEY,
    sha256   text NOT NULL
);
CREATE INDEX withdrawn_images_by_bytes ON withdrawn_images (sha256);
