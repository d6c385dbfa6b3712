-- The images about which a table said something new, numbered in the order in which it did: a process that keeps rows of images in memory
-- reads these again, and no others. Not part of the fold: the numbers follow from when each topic was read.
CREATE TABLE changed_images (
    image_id uuid   PRIMARY KEY,
    change   bigint NOT NULL
);
CREATE INDEX changed_images_in_order ON changed_images (change);

-- There is one writer, so numbers are given and committed in the same order.
CREATE FUNCTION note_changed_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changed_images (image_id, change)
        VALUES (NEW.image_id, (SELECT coalesce(max(change), 0) + 1 FROM changed_images))
        ON CONFLICT (image_id) DO UPDATE SET change = excluded.change;
    RETURN NULL;
END $$;
CREATE TRIGGER images_changed AFTER INSERT OR UPDATE ON images FOR EACH ROW EXECUTE FUNCTION note_changed_image();
CREATE TRIGGER corrections_changed AFTER INSERT OR UPDATE ON corrections FOR EACH ROW EXECUTE FUNCTION note_changed_image();
CREATE TRIGGER withdrawn_changed AFTER INSERT OR UPDATE ON withdrawn_images
    FOR EACH ROW EXECUTE FUNCTION note_changed_image();

-- Which image decides about some pixels concerns all that have them.
CREATE FUNCTION note_changed_pixels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changed_images (image_id, change)
        SELECT image_id, (SELECT coalesce(max(change), 0) + 1 FROM changed_images) FROM images
        WHERE pixels_sha256 = coalesce(NEW.pixels_sha256, OLD.pixels_sha256)
        ON CONFLICT (image_id) DO UPDATE SET change = excluded.change;
    RETURN NULL;
END $$;
CREATE TRIGGER same_pixels_changed AFTER INSERT OR UPDATE OR DELETE ON same_pixels
    FOR EACH ROW EXECUTE FUNCTION note_changed_pixels();
