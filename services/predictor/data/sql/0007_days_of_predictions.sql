-- A day (UTC) of predictions is a table of its own, which is dropped whole once it is too old; predictions_other takes what
-- is of no day that is there. A unique key has to hold the day: id and time both come from the event, so that a repetition
-- has both, and is recognised. By its id alone a prediction is found in the key of each day.
ALTER TABLE predictions RENAME TO predictions_before;
ALTER TABLE predictions_before DROP CONSTRAINT predictions_pkey;
DROP INDEX predictions_of_image, predictions_of_bytes, predictions_by_age;

CREATE TABLE predictions (LIKE predictions_before, PRIMARY KEY (prediction_id, occurred_at)) PARTITION BY RANGE (occurred_at);
CREATE INDEX predictions_of_image ON predictions (image_id, occurred_at) WHERE image_id IS NOT NULL;
CREATE INDEX predictions_of_bytes ON predictions (sha256, occurred_at);
CREATE TABLE predictions_other PARTITION OF predictions DEFAULT;

-- Makes the table of a day, with the rows of that day that came before it; returns whether it was missing.
CREATE FUNCTION make_day_of_predictions(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    named text := 'predictions_' || to_char(day, 'YYYYMMDD');
    first timestamptz := day::timestamp AT TIME ZONE 'UTC';
    after timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(named) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE predictions_other IN ACCESS EXCLUSIVE MODE;  -- else a row of the day could still come into it
    EXECUTE format('CREATE TABLE %I (LIKE predictions)', named);
    EXECUTE format(
        'WITH moved AS (DELETE FROM predictions_other WHERE occurred_at >= $1 AND occurred_at < $2 RETURNING *)
         INSERT INTO %I SELECT * FROM moved', named) USING first, after;
    EXECUTE format('ALTER TABLE predictions ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', named, first, after);
    RETURN true;
END
$$;

-- Of the usual time; the worker keeps what PAPPUS_PREDICTION_DAYS says. A replay makes its tables anew, so that it has them, too.
SELECT make_day_of_predictions(day::date)
FROM generate_series((now() AT TIME ZONE 'UTC')::date - 14, (now() AT TIME ZONE 'UTC')::date + 2, '1 day') AS day;

INSERT INTO predictions SELECT * FROM predictions_before;
DROP TABLE predictions_before;

-- As the table before it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'predictor_api') THEN
        GRANT SELECT ON predictions TO predictor_api;
    END IF;
END $$;
