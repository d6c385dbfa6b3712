-- image.stored with image.rejected and image.withdrawn: every listed image with the group of near-duplicates that it is in, and which copies there
-- are of it: the same bytes came again and were refused (same_bytes), another listed image has the same pixels (same_pixels), or is in its
-- group (near). Whichever event comes last writes the row, which follows from the table images.
CREATE TABLE image_copies (
    image_id uuid   PRIMARY KEY,
    group_id text   NOT NULL,
    copies   text[] NOT NULL
);
CREATE INDEX image_copies_of_group ON image_copies (group_id);
CREATE INDEX image_copies_alone ON image_copies (group_id) WHERE NOT copies @> '{near}';
CREATE INDEX image_copies_of_kind ON image_copies USING gin (copies) WHERE copies <> '{}';
CREATE INDEX image_copies_some ON image_copies (image_id) INCLUDE (copies) WHERE copies <> '{}';

CREATE VIEW copies_to_note AS
    SELECT image_id, group_id,
           array_remove(ARRAY[
               CASE WHEN EXISTS (SELECT FROM images refused
                                 WHERE refused.duplicate_of = images.image_id AND refused.stored_at IS NULL) THEN 'same_bytes' END,
               CASE WHEN EXISTS (SELECT FROM images other
                                 WHERE other.pixels_sha256 = images.pixels_sha256 AND other.image_id <> images.image_id
                                   AND other.stored_at IS NOT NULL AND other.withdrawn_at IS NULL) THEN 'same_pixels' END,
               CASE WHEN EXISTS (SELECT FROM images other
                                 WHERE other.group_id = images.group_id AND other.image_id <> images.image_id
                                   AND other.stored_at IS NOT NULL AND other.withdrawn_at IS NULL) THEN 'near' END
           ], NULL) AS copies
    FROM images WHERE stored_at IS NOT NULL AND withdrawn_at IS NULL;

CREATE FUNCTION note_copies(of_image uuid) RETURNS void LANGUAGE sql AS $$
    DELETE FROM image_copies USING images
    WHERE image_copies.image_id = of_image AND images.image_id = of_image AND images.withdrawn_at IS NOT NULL;
    INSERT INTO image_copies AS known SELECT * FROM copies_to_note WHERE image_id = of_image
    ON CONFLICT (image_id) DO UPDATE SET group_id = excluded.group_id, copies = excluded.copies
    WHERE known IS DISTINCT FROM excluded
$$;

-- After an image came or went: its own row, and those of others that it is a copy of. As a rule only one other changes: of several copies each
-- has others still.
CREATE FUNCTION note_copies_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_copies(NEW.image_id);
    PERFORM note_copies(NEW.duplicate_of) WHERE NEW.duplicate_of IS NOT NULL;
    IF NEW.stored_at IS NULL THEN
        RETURN NULL;
    END IF;
    IF NEW.withdrawn_at IS NULL THEN
        PERFORM note_copies(image_id) FROM image_copies
        WHERE group_id = NEW.group_id AND NOT copies @> '{near}' AND image_id <> NEW.image_id;
        PERFORM note_copies(image_id) FROM image_copies JOIN images other USING (image_id)
        WHERE other.pixels_sha256 = NEW.pixels_sha256 AND NOT copies @> '{same_pixels}' AND image_id <> NEW.image_id;
    ELSE
        PERFORM note_copies(max(image_id::text)::uuid) FROM (
            SELECT image_id FROM image_copies WHERE group_id = NEW.group_id LIMIT 2) AS left_over HAVING count(*) = 1;
        PERFORM note_copies(max(image_id::text)::uuid) FROM (
            SELECT image_id FROM image_copies JOIN images other USING (image_id)
            WHERE other.pixels_sha256 = NEW.pixels_sha256 LIMIT 2) AS left_over HAVING count(*) = 1;
    END IF;
    RETURN NULL;
END $$;

-- How many images have which kinds of copies, without those that have none.
CREATE TABLE copies_counts (
    copies text[] PRIMARY KEY,
    number bigint NOT NULL
);
CREATE FUNCTION count_copies(of_kinds text[], change integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO copies_counts AS known SELECT of_kinds, change WHERE of_kinds <> '{}'
    ON CONFLICT (copies) DO UPDATE SET number = known.number + change;
    DELETE FROM copies_counts WHERE copies = of_kinds AND number = 0
$$;
CREATE FUNCTION count_copies_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM count_copies(OLD.copies, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM count_copies(NEW.copies, 1); END IF;
    RETURN NULL;
END $$;

INSERT INTO image_copies SELECT * FROM copies_to_note;
INSERT INTO copies_counts SELECT copies, count(*) FROM image_copies WHERE copies <> '{}' GROUP BY copies;
CREATE TRIGGER count_copies AFTER INSERT OR DELETE OR UPDATE OF copies ON image_copies FOR EACH ROW
    EXECUTE FUNCTION count_copies_change();
CREATE TRIGGER note_copies AFTER INSERT OR UPDATE OF stored_at, withdrawn_at, duplicate_of ON images FOR EACH ROW
    WHEN (NEW.stored_at IS NOT NULL OR NEW.duplicate_of IS NOT NULL) EXECUTE FUNCTION note_copies_of_row();
