-- label.voted: what each person said about the next revision of a label, where a label needs several equal votes.
CREATE TABLE votes (
    event_id            uuid        PRIMARY KEY,
    image_id            uuid        NOT NULL,
    revision            integer     NOT NULL,   -- of the label, if it is decided so
    voted_by            text        NOT NULL,
    label               text,
    no_label            text,                   -- why there is none; "withdrawn": the vote is taken back
    voted_at            timestamptz NOT NULL,
    reason              text        NOT NULL,
    shown_model_version text,
    shown_label         text,
    shown_probability   double precision,
    prediction_id       uuid,
    withdrawn_by        text,
    stands              boolean     NOT NULL    -- the last one of this person for the highest revision
);
CREATE UNIQUE INDEX votes_that_stand ON votes (image_id, voted_by) WHERE stands;
CREATE INDEX votes_of_person ON votes (voted_by) WHERE stands;

-- label.corrected: whose equal votes decided, and from which revision on votes count again after a decision was taken out.
ALTER TABLE label_history ADD voters text[] NOT NULL DEFAULT '{}', ADD votes_from integer;
CREATE INDEX label_history_of_voters ON label_history USING gin (voters) WHERE voters <> '{}';
ALTER TABLE images ADD votes_from integer;

-- label.voted with label.corrected: the votes that count for the next revision of an image. How many are needed is a setting.
CREATE TABLE open_votes (
    image_id uuid        PRIMARY KEY,
    revision integer     NOT NULL,
    number   integer     NOT NULL,
    most     integer     NOT NULL,   -- the votes of the decision with most of them,
    ahead    integer     NOT NULL,   -- and how many decisions have so many
    people   text[]      NOT NULL,
    said     text[]      NOT NULL,
    begun_at timestamptz NOT NULL,
    voted_at timestamptz NOT NULL
);
CREATE INDEX open_votes_of_people ON open_votes USING gin (people);
CREATE INDEX open_votes_most ON open_votes (most DESC, begun_at, image_id);

CREATE FUNCTION note_votes(of_image uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM votes WHERE image_id = of_image) THEN
        RETURN;
    END IF;
    DELETE FROM open_votes WHERE image_id = of_image;
    INSERT INTO open_votes (image_id, revision, number, most, ahead, people, said, begun_at, voted_at)
    WITH image AS (
        SELECT coalesce(max(revision), 0) + 1 AS next, coalesce(max(votes_from), max(revision) + 1, 1) AS votes_from
        FROM images WHERE image_id = of_image
    ), counted AS (
        SELECT voted_by, coalesce(label, no_label) AS said, votes.voted_at
        FROM votes CROSS JOIN image
        WHERE image_id = of_image AND stands AND no_label IS DISTINCT FROM 'withdrawn'
          AND votes.revision BETWEEN image.votes_from AND image.next
    ), of_decision AS (
        SELECT counted.said, count(*) AS number FROM counted GROUP BY counted.said
    )
    SELECT of_image, image.next, count(*), (SELECT max(of_decision.number) FROM of_decision),
           (SELECT count(*) FROM of_decision WHERE of_decision.number = (SELECT max(of_decision.number) FROM of_decision)),
           array_agg(voted_by ORDER BY voted_by), (SELECT array_agg(of_decision.said ORDER BY of_decision.said) FROM of_decision),
           min(counted.voted_at), max(counted.voted_at)
    FROM counted CROSS JOIN image GROUP BY image.next;
END $$;

-- After an applied revision; most have to do with no vote.
CREATE FUNCTION count_votes(of_image uuid, of_event uuid, by_voters text[], counted_from integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF by_voters <> '{}' OR counted_from IS NOT NULL THEN
        UPDATE label_history SET voters = by_voters, votes_from = counted_from WHERE event_id = of_event;
    END IF;
    UPDATE images SET votes_from = counted_from WHERE image_id = of_image AND votes_from IS DISTINCT FROM counted_from;
    PERFORM note_votes(of_image);
END $$;

-- A decision of several people has all of them behind it.
CREATE OR REPLACE FUNCTION note_dispute(of_image uuid) RETURNS void LANGUAGE sql AS $$
    DELETE FROM disputes WHERE image_id = of_image;
    WITH spoken AS (
        SELECT DISTINCT ON (person) person, occurred_at, no_label, coalesce(label_to, no_label) AS said
        FROM label_history
        CROSS JOIN LATERAL unnest(CASE WHEN voters = '{}' THEN ARRAY[corrected_by] ELSE voters END) AS person
        WHERE image_id = of_image AND no_label IS DISTINCT FROM 'withdrawn' AND NOT was_taken_back(image_id, revision)
        ORDER BY person, revision DESC, occurred_at DESC, event_id
    ), votes AS (
        SELECT said, count(*) AS number, array_agg(person) AS people, max(occurred_at) AS said_at
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
CREATE TRIGGER note_dispute_of_voters AFTER UPDATE OF voters ON label_history FOR EACH ROW EXECUTE FUNCTION note_dispute_of_row();
