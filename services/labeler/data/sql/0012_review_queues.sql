-- Input, no projection: what a person left for later, at which revision; it counts until the image is decided about. A replay keeps it.
CREATE TABLE skipped (
    person     text        NOT NULL,
    image_id   uuid        NOT NULL,
    revision   integer     NOT NULL,
    skipped_at timestamptz NOT NULL,
    PRIMARY KEY (person, image_id)
);

-- Input, too: a person was asked whether the decisions up to this time are meant, and has answered.
CREATE TABLE double_checks (
    person         text        PRIMARY KEY,
    answered_until timestamptz NOT NULL
);

-- Input as well: filters of Browse that a person saved, to review what they show.
CREATE TABLE saved_filters (
    person   text        NOT NULL,
    name     text        NOT NULL,
    filter   jsonb       NOT NULL,
    sort     text        NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (person, name)
);

-- Computed from the other tables now and then (commands/label_doubts.py), and again after a loss: labels without a person's
-- decision that contradict what is known about the other images.
CREATE UNLOGGED TABLE label_doubts (
    image_id      uuid             PRIMARY KEY,
    label         text             NOT NULL,   -- the label that is doubted
    similar_label text             NOT NULL,   -- what the others say instead
    doubt         double precision NOT NULL    -- the lead of that over the label
);
CREATE INDEX label_doubts_greatest ON label_doubts (doubt DESC, image_id);

CREATE INDEX listed_waiting_newest ON listed_images (stored_at DESC, image_id DESC) WHERE to_review;
CREATE INDEX set_aside_newest ON set_aside (set_aside_at DESC, image_id);
DROP INDEX label_history_of_person;
CREATE INDEX label_history_of_person ON label_history (corrected_by, occurred_at DESC);
CREATE INDEX label_history_against_model ON label_history (occurred_at DESC) WHERE applied AND label_to <> shown_label;

-- Whether a later withdrawal took a decision back.
CREATE FUNCTION was_taken_back(of_image uuid, of_revision integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM label_history later
                   WHERE later.image_id = of_image AND later.applied AND later.no_label = 'withdrawn'
                     AND later.revision > of_revision AND later.held_revision < of_revision)
$$;

-- label.corrected with image.withdrawn: images about which people say different things, and no decision has more people behind it than all others. The last
-- decision of each person counts, also one that came second; "unsure" is none.
CREATE TABLE disputes (
    image_id    uuid        PRIMARY KEY,
    said        text[]      NOT NULL,   -- what people say, in the order of the alphabet
    people      text[]      NOT NULL,
    disputed_at timestamptz NOT NULL
);
CREATE INDEX disputes_newest ON disputes (disputed_at DESC, image_id);

CREATE FUNCTION note_dispute(of_image uuid) RETURNS void LANGUAGE sql AS $$
    DELETE FROM disputes WHERE image_id = of_image;
    WITH spoken AS (
        SELECT DISTINCT ON (corrected_by) corrected_by, occurred_at, no_label, coalesce(label_to, no_label) AS said
        FROM label_history
        WHERE image_id = of_image AND no_label IS DISTINCT FROM 'withdrawn' AND NOT was_taken_back(image_id, revision)
        ORDER BY corrected_by, revision DESC, occurred_at DESC, event_id
    ), votes AS (
        SELECT said, count(*) AS number, array_agg(corrected_by) AS people, max(occurred_at) AS said_at
        FROM spoken WHERE no_label IS DISTINCT FROM 'unsure' GROUP BY said
    ), ahead AS (
        SELECT * FROM votes WHERE number = (SELECT max(number) FROM votes)
    )
    INSERT INTO disputes (image_id, said, people, disputed_at)
    SELECT of_image, (SELECT array_agg(said ORDER BY said) FROM votes),
           (SELECT array_agg(person ORDER BY person) FROM votes CROSS JOIN unnest(people) AS person),
           (SELECT max(said_at) FROM votes)
    FROM ahead HAVING count(*) > 1 AND NOT EXISTS (SELECT FROM images WHERE image_id = of_image AND withdrawn_at IS NOT NULL)
$$;
CREATE FUNCTION note_dispute_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_dispute(NEW.image_id);
    RETURN NULL;
END $$;
SELECT note_dispute(image_id)
FROM (SELECT image_id FROM label_history GROUP BY image_id HAVING count(DISTINCT corrected_by) > 1) AS of_several;
CREATE TRIGGER note_dispute AFTER INSERT ON label_history FOR EACH ROW EXECUTE FUNCTION note_dispute_of_row();
CREATE TRIGGER end_dispute AFTER INSERT OR UPDATE OF withdrawn_at ON images FOR EACH ROW WHEN (NEW.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION note_dispute_of_row();
