-- What stored images look like, for the search for near-duplicates (decisions/looks.py): written with the decision in the ledger, and
-- like it no projection. Quarantined images are not in it: they are in no data set, so that none has to be on their side.
CREATE TABLE looks (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- in the order of the decisions
    image_id  uuid  NOT NULL UNIQUE,
    group_id  text  NOT NULL,
    hashes    bytea NOT NULL,
    thumbnail bytea NOT NULL
);
