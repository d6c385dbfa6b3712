-- trial.started: the trials of full candidates; the first one of a version counts
CREATE TABLE trials (
    version text  PRIMARY KEY,
    event   jsonb NOT NULL
);
