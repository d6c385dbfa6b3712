-- image.registered: what the file was called where it was uploaded; null for other images, and for events of earlier releases.
ALTER TABLE images ADD COLUMN file_name text;

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
               AND (other.image_id IS NULL OR other.held_revision = 0 OR other.no_label = 'unsure') AS to_review,
           -- what people look for: the file's name, or the last part of the address
           coalesce(images.file_name, nullif(substring(
               split_part(split_part(coalesce(images.stored_url, images.registered_url), '#', 1), '?', 1)
               FROM '[^/]*$'), '')) AS name
    FROM images
    LEFT JOIN same_pixels ON same_pixels.pixels_sha256 = images.pixels_sha256 AND same_pixels.image_id <> images.image_id
        AND images.withdrawn_at IS NULL
    LEFT JOIN images other ON other.image_id = same_pixels.image_id;

-- On which side of the split a group is: shared/contract/split.py in SQL. The first 8 bytes of the hash are a number below
-- 0.2 * 2^64 (as the float that it is in Python), compared byte by byte.
CREATE FUNCTION side_of_group(group_id text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN substring(sha256(convert_to(group_id, 'UTF8')) FROM 1 FOR 8) < '\x3333333333333400'::bytea
                THEN 'test' ELSE 'training' END
$$;

-- Every stored image that is not withdrawn, with what people filter and sort by, so that a list of very many is quick. A row follows
-- from images, label_history, same_pixels and predictions; whichever event comes last writes it (list_image).
CREATE TABLE listed_images (
    image_id      uuid             PRIMARY KEY,
    name          text,
    name_folded   text,                        -- in small letters
    stored_at     timestamptz      NOT NULL,
    label         text,
    trust         text             NOT NULL,
    flagged       text,                        -- no label, since a person said why (no_label), or "unlabelled"
    decided_by    text,                        -- who gave the label that holds, or decided that there is none
    decided_at    timestamptz,
    side          text             NOT NULL,   -- training, test or quarantined
    predicted     text,
    confidence    double precision,            -- of the predicted label
    model_version text,
    disagrees     boolean,                     -- whether the model says another label; null without a label or an answer
    doubt         double precision NOT NULL,   -- the lead of the best answer over the second; 2 without an answer
    contradiction double precision NOT NULL,   -- that lead where the model disagrees, else less it; -2 without an answer
    to_review     boolean          NOT NULL
);
CREATE INDEX listed_newest ON listed_images (stored_at DESC, image_id DESC);
CREATE INDEX listed_doubtful ON listed_images (doubt, image_id);
CREATE INDEX listed_contradicting ON listed_images (contradiction DESC, image_id DESC);
-- The order of the review, but for drifts: contradicted labels first, the most certain ones before others; then doubtful answers.
CREATE INDEX listed_to_review ON listed_images (
    (flagged IS NOT DISTINCT FROM 'unsure'), (trust = 'seed'), (disagrees IS NOT TRUE),
    (CASE WHEN disagrees THEN -doubt ELSE doubt END), image_id) WHERE to_review;
CREATE INDEX listed_of_label ON listed_images (label, stored_at DESC, image_id DESC);
CREATE INDEX listed_of_person ON listed_images (decided_by, stored_at DESC, image_id DESC);
CREATE INDEX listed_by_confidence ON listed_images (confidence);
CREATE INDEX listed_flagged ON listed_images (flagged, stored_at DESC, image_id DESC) WHERE flagged IS NOT NULL;
CREATE INDEX listed_of_version ON listed_images (model_version);

-- How many listed images there are of each kind: what people filter by most is counted at any number of images.
CREATE TABLE listed_counts (
    label      text,
    trust      text    NOT NULL,
    flagged    text,
    decided_by text,
    side       text    NOT NULL,
    disagrees  boolean,
    to_review  boolean NOT NULL,
    number     bigint  NOT NULL,
    UNIQUE NULLS NOT DISTINCT (label, trust, flagged, decided_by, side, disagrees, to_review)
);

CREATE FUNCTION count_listed(image listed_images, change integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    left_over bigint;
    place tid;
BEGIN
    INSERT INTO listed_counts AS known (label, trust, flagged, decided_by, side, disagrees, to_review, number)
    VALUES (image.label, image.trust, image.flagged, image.decided_by, image.side, image.disagrees, image.to_review, change)
    ON CONFLICT (label, trust, flagged, decided_by, side, disagrees, to_review)
        DO UPDATE SET number = known.number + change
    RETURNING number, ctid INTO left_over, place;
    IF left_over = 0 THEN
        DELETE FROM listed_counts WHERE ctid = place;
    END IF;
END $$;
CREATE FUNCTION count_listed_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM count_listed(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM count_listed(NEW, 1); END IF;
    RETURN NULL;
END $$;
CREATE VIEW images_to_list AS
    SELECT images.image_id, images.name, lower(images.name) AS name_folded, images.stored_at, images.label, images.trust,
           CASE WHEN counting.held_revision > 0 AND counting.no_label IS NOT NULL THEN counting.no_label
                WHEN images.label IS NULL THEN 'unlabelled' END AS flagged,
           CASE WHEN counting.held_revision > 0 THEN decision.corrected_by
                WHEN images.label IS NOT NULL THEN coalesce(counting.registered_by, counting.stored_by) END AS decided_by,
           CASE WHEN counting.held_revision > 0 THEN decision.occurred_at
                WHEN images.label IS NOT NULL THEN coalesce(counting.registered_at, counting.stored_at) END AS decided_at,
           CASE WHEN images.joins <> '{}' THEN 'quarantined' ELSE side_of_group(images.group_id) END AS side,
           predictions.label AS predicted, (predictions.probabilities ->> predictions.label)::double precision AS confidence,
           predictions.model_version, predictions.label <> images.label AS disagrees,
           coalesce(predictions.margin, 2) AS doubt,
           coalesce(CASE WHEN predictions.label <> images.label THEN predictions.margin ELSE -predictions.margin END, -2)
               AS contradiction,
           coalesce(images.to_review, false) AS to_review
    FROM current_images images
    JOIN images counting ON counting.image_id = coalesce(images.label_of, images.image_id)
    LEFT JOIN label_history decision ON decision.applied
        AND (decision.image_id, decision.revision) = (counting.image_id, counting.held_revision)
    LEFT JOIN predictions ON predictions.image_id = images.image_id
    WHERE images.stored_at IS NOT NULL AND images.withdrawn_at IS NULL;

-- Write the row of an image as the other tables are now, or delete it.
CREATE FUNCTION list_image(of_image uuid) RETURNS void LANGUAGE sql AS $$
    DELETE FROM listed_images USING images
    WHERE listed_images.image_id = of_image AND images.image_id = of_image AND images.withdrawn_at IS NOT NULL;
    INSERT INTO listed_images AS known SELECT * FROM images_to_list WHERE image_id = of_image
    ON CONFLICT (image_id) DO UPDATE SET
        name = excluded.name, name_folded = excluded.name_folded, stored_at = excluded.stored_at, label = excluded.label,
        trust = excluded.trust, flagged = excluded.flagged, decided_by = excluded.decided_by,
        decided_at = excluded.decided_at, side = excluded.side, predicted = excluded.predicted,
        confidence = excluded.confidence, model_version = excluded.model_version, disagrees = excluded.disagrees,
        doubt = excluded.doubt, contradiction = excluded.contradiction, to_review = excluded.to_review
    WHERE known IS DISTINCT FROM excluded
$$;
-- The same of all images with its pixels, which have one label.
CREATE FUNCTION list_image_and_copies(of_image uuid) RETURNS void LANGUAGE sql AS $$
    SELECT list_image(of_image);
    SELECT list_image(copy.image_id)
    FROM images one JOIN images copy ON copy.pixels_sha256 = one.pixels_sha256 AND copy.image_id <> one.image_id
    WHERE one.image_id = of_image
$$;

INSERT INTO listed_images SELECT * FROM images_to_list;
INSERT INTO listed_counts
    SELECT label, trust, flagged, decided_by, side, disagrees, to_review, count(*) FROM listed_images GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE TRIGGER count_added AFTER INSERT OR DELETE ON listed_images FOR EACH ROW EXECUTE FUNCTION count_listed_change();
CREATE TRIGGER count_changed AFTER UPDATE ON listed_images FOR EACH ROW
    WHEN ((OLD.label, OLD.trust, OLD.flagged, OLD.decided_by, OLD.side, OLD.disagrees, OLD.to_review)
          IS DISTINCT FROM (NEW.label, NEW.trust, NEW.flagged, NEW.decided_by, NEW.side, NEW.disagrees, NEW.to_review))
    EXECUTE FUNCTION count_listed_change();
