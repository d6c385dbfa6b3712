-- image.withdrawn: a person took an image back. The row stays as its tombstone: the same bytes, and the same image, are not stored
-- again. The handler that deletes the bytes and the projection both write it, and a replay keeps it.
CREATE TABLE tombstones (
    image_id     uuid        PRIMARY KEY,
    event_id     uuid        NOT NULL,
    sha256       text        NOT NULL,
    withdrawn_by text        NOT NULL,
    reason       text        NOT NULL,
    withdrawn_at timestamptz NOT NULL
);
CREATE INDEX tombstones_of_bytes ON tombstones (sha256);

ALTER TABLE images ADD COLUMN withdrawn_at timestamptz, ADD COLUMN withdrawn_because text;
-- Withdrawn beats stored, stored beats rejected; a rejection holds until the image is registered again.
ALTER TABLE images ALTER COLUMN state SET EXPRESSION AS (
    CASE WHEN withdrawn_at IS NOT NULL THEN 'withdrawn'
         WHEN sha256 IS NOT NULL THEN 'stored'
         WHEN rejected_attempt >= coalesce(attempt, 0) THEN 'rejected'
         ELSE 'waiting' END);
ALTER TABLE plants_data DROP CONSTRAINT plants_data_state_check;
ALTER TABLE plants_data ADD CONSTRAINT plants_data_state_check
    CHECK (state IN ('waiting', 'stored', 'rejected', 'withdrawn'));
