-- The trace context (W3C traceparent) of the events that were folded, for what is decided from the tables later: so that the
-- trace of a correction goes on where its candidate is made. Rows of events of which no trace was recorded are not kept, and
-- none is kept for long. Not part of the fold: a replay need not bring them back.
CREATE TABLE traces (
    event_id uuid        PRIMARY KEY,
    parent   text        NOT NULL,
    kept_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX traces_by_age ON traces (kept_at);
