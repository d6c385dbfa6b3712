-- What came of telling an address that a batch is finished. Input for a replay: no topic says it.
CREATE TABLE callbacks (
    batch_id     uuid PRIMARY KEY,
    failures     integer NOT NULL,                     -- tries that failed
    last_error   text,
    next_try_at  timestamptz,
    delivered_at timestamptz,
    given_up_at  timestamptz
);
CREATE INDEX batches_with_callback ON batches (batch_id) WHERE callback_url IS NOT NULL;
