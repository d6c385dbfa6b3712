-- Input, no projection: which images a person has before them, so that another one gets others. A replay keeps it; losing it costs
-- a second look at most.
CREATE UNLOGGED TABLE leases (
    image_id uuid        PRIMARY KEY,
    person   text        NOT NULL,
    until    timestamptz NOT NULL
);
