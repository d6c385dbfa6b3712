-- Input, no projection: addresses that events are sent to. A replay keeps it. `delivered` is the number of the last event that was
-- delivered, or is not asked for; `failures` in a row since then, and stopped_at once they were too many.
CREATE TABLE webhooks (
    webhook_id        uuid        PRIMARY KEY,
    url               text        NOT NULL,
    types             text[]      NOT NULL,
    secret            text        NOT NULL,
    made_by           text        NOT NULL,
    made_at           timestamptz NOT NULL,
    delivered         bigint      NOT NULL,
    failures          integer     NOT NULL DEFAULT 0,
    next_try_at       timestamptz,
    stopped_at        timestamptz,
    last_error        text        NOT NULL DEFAULT '',
    last_delivered_at timestamptz
);
