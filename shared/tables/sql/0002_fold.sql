-- By which version of the folding code the tables of this schema were made (FOLD_VERSION of the service). A higher one in the
-- code says that events which are folded already would give other rows now: a replay makes the tables agree.
CREATE TABLE fold (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL
);
INSERT INTO fold (version) VALUES (1);
