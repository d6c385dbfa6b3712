-- What people put in, and what became of it. A plain INSERT INTO plants_data (url_source, label) starts everything.
-- Input: url_source, label, created_at, registered_by, traceparent. Marks of the announcer: image_id, announced_at, attempt.
-- All other columns, and label after a correction, show the row of `images`.
CREATE TABLE plants_data (
    id            uuid        PRIMARY KEY DEFAULT uuidv7(),
    url_source    text        NOT NULL UNIQUE CHECK (octet_length(url_source) BETWEEN 1 AND 2000),
    url_s3        text,
    label         text,
    state         text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'stored', 'rejected')),
    reason        text,
    detail        text,
    duplicate_of  uuid,
    sha256        text,
    size_bytes    integer,
    width         integer,
    height        integer,
    revision      integer     NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    registered_by text        NOT NULL DEFAULT session_user,
    traceparent   text,
    image_id      uuid UNIQUE,
    announced_at  timestamptz,
    attempt       integer     NOT NULL DEFAULT 0       -- the last one announced
);
CREATE INDEX plants_data_unannounced ON plants_data (id) WHERE announced_at IS NULL;

-- Inserted rows wake the announcer through the channel on which the schema's projection tells of its commits.
CREATE FUNCTION tell_of_new_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_SCHEMA || '_changed', '');
    RETURN NULL;
END $$;
CREATE TRIGGER plants_data_inserted AFTER INSERT ON plants_data
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_new_rows();

-- The fold of image.* and label.corrected. Each group of columns is written from one topic, in whatever order they come.
CREATE TABLE images (
    image_id         uuid PRIMARY KEY,
    -- image.registered
    url_source       text,                             -- the URL, or upload:<image_id>
    url              text,
    upload_key       text,
    label            text,
    trust            text,
    registered_by    text,
    registered_at    timestamptz,                      -- of the first attempt
    attempt          integer,                          -- the last one seen
    -- image.stored
    sha256           text,
    object_key       text,
    size_bytes       integer,
    width            integer,
    height           integer,
    image_format     text,
    perceptual_hash  text,
    group_id         text,
    stored_at        timestamptz,
    -- image.rejected, the last attempt
    rejected_attempt integer,
    rejected_at      timestamptz,
    reason           text,
    detail           text,
    retryable        boolean,
    duplicate_of     uuid,
    -- label.corrected, the last that applies
    corrected_label  text,
    revision         integer NOT NULL DEFAULT 0,
    -- Stored beats rejected; a rejection holds until the image is registered again.
    state            text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN sha256 IS NOT NULL THEN 'stored'
             WHEN rejected_attempt >= coalesce(attempt, 0) THEN 'rejected'
             ELSE 'waiting' END) STORED
);
CREATE INDEX images_to_try_again ON images (image_id) WHERE state = 'rejected' AND retryable;

-- The fetcher's decisions, each written before it is published, so that a repetition finds the same one.
CREATE TABLE ledger (
    event_id        uuid  PRIMARY KEY,
    image_id        uuid  NOT NULL,
    event           jsonb NOT NULL,
    sha256          text UNIQUE,                       -- of image.stored only: the first image with these bytes
    perceptual_hash text,
    group_id        text
);
CREATE INDEX ledger_lookalikes ON ledger (perceptual_hash);

-- Whoever seeds by SQL may put URLs in and see what became of them.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'seeder') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO seeder', current_schema());
        GRANT SELECT, INSERT (url_source, label) ON plants_data TO seeder;
    END IF;
END $$;
