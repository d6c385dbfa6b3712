-- How far the tables of this schema have been folded from each partition, and the identity of the last record folded, by
-- which a replaced log is recognised. Changed only together with the tables, in the same transaction.
CREATE TABLE positions (
    topic         text   NOT NULL,
    partition     int    NOT NULL,
    next_offset   bigint NOT NULL CHECK (next_offset >= 0),
    last_event_id uuid,
    PRIMARY KEY (topic, partition)
);
