-- image.registered: where the bytes of an upload lie until they are stored; null for other images.
ALTER TABLE images ADD COLUMN upload_key text;
CREATE INDEX images_of_upload ON images (upload_key) WHERE upload_key IS NOT NULL;

-- Marks of the sweeper, no fold: uploads whose object was deleted, with the time of the last outcome of a registration that names it.
-- A replay keeps them.
CREATE TABLE swept_uploads (
    upload_key text        PRIMARY KEY,
    settled_at timestamptz NOT NULL
);
