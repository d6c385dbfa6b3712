-- image.stored: the perceptual hash, 64 bits with a sign; null for events without one, and until a replay for images of earlier releases.
ALTER TABLE images ADD COLUMN perceptual_hash bigint;
-- Read as a whole: every hash is compared.
CREATE INDEX images_by_hash ON images (perceptual_hash) INCLUDE (image_id, stored_at)
    WHERE perceptual_hash IS NOT NULL AND withdrawn_at IS NULL;
