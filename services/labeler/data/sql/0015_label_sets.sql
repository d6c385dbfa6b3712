-- label_set.changed: the classes of the installation, one row for each change that counts.
CREATE TABLE label_sets (
    revision integer PRIMARY KEY,
    event_id uuid    NOT NULL UNIQUE,
    event    jsonb   NOT NULL
);
