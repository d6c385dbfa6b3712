-- trial.started: the trials of full candidates in the order of the log; the first one of a candidate counts.
CREATE TABLE trials (
    cause    uuid    PRIMARY KEY,          -- the model.trained that is tried
    event_id uuid    NOT NULL,
    number   integer NOT NULL,
    version  text    NOT NULL,
    event    jsonb   NOT NULL
);

-- trial.compared: what each replica compared in a trial, in each of its lives; the counts only grow.
CREATE TABLE trial_counts (
    trial     uuid    NOT NULL,
    replica   text    NOT NULL,
    run       uuid    NOT NULL,
    compared  integer NOT NULL,
    disagreed integer NOT NULL,
    failed    integer NOT NULL,
    dropped   integer NOT NULL,
    detail    text    NOT NULL,
    PRIMARY KEY (trial, replica, run)
);
