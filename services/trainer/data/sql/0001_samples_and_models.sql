-- Each table is the fold of one topic, so the order between topics does not matter and nothing refers across them.

-- image.stored: one row an image, the first announcement counts.
CREATE TABLE images (
    image_id      uuid        PRIMARY KEY,
    event_id      uuid        NOT NULL,
    sha256        text        NOT NULL,
    object_key    text        NOT NULL,
    group_id      text        NOT NULL,
    label         text,                    -- revision 0: what was said when the image was registered
    trust         text        NOT NULL,
    registered_by text        NOT NULL,
    stored_at     timestamptz NOT NULL
);

-- label.corrected: the revisions that apply, without gaps from 1 on.
CREATE TABLE corrections (
    image_id     uuid        NOT NULL,
    revision     integer     NOT NULL,
    event_id     uuid        NOT NULL,
    label        text        NOT NULL,
    corrected_by text        NOT NULL,
    corrected_at timestamptz NOT NULL,
    PRIMARY KEY (image_id, revision)
);

-- model.trained: the candidates; the whole event, since its artefact and manifest belong together.
CREATE TABLE models (
    version    text        PRIMARY KEY,
    event_id   uuid        NOT NULL,
    lane       text        NOT NULL,
    parent     text,
    trained_at timestamptz NOT NULL,
    event      jsonb       NOT NULL
);
CREATE INDEX models_of_parent ON models (parent);

-- model.promoted: the promotions that count, numbered from 1 without gaps; the last one is in service.
CREATE TABLE promotions (
    sequence integer PRIMARY KEY,
    event_id uuid    NOT NULL,
    cause    uuid    NOT NULL,             -- the model.trained or promotion.requested it decides
    version  text    NOT NULL,
    route    text    NOT NULL,
    event    jsonb   NOT NULL
);
CREATE INDEX promotions_of_version ON promotions (version);
CREATE INDEX promotions_of_cause ON promotions (cause);

-- model.rejected: the first rejection of each cause.
CREATE TABLE rejections (
    cause       uuid        PRIMARY KEY,
    event_id    uuid        NOT NULL,
    version     text,
    rejected_at timestamptz NOT NULL,
    event       jsonb       NOT NULL
);

-- model.rejected: the corrections a rejection left out, and why.
CREATE TABLE set_aside (
    image_id uuid    NOT NULL,
    revision integer NOT NULL,
    cause    uuid    NOT NULL,
    version  text,
    sentence text    NOT NULL,
    PRIMARY KEY (image_id, revision, cause)
);

-- The label that holds for an image: its newest applied correction.
CREATE VIEW newest_corrections AS
    SELECT DISTINCT ON (image_id) * FROM corrections ORDER BY image_id, revision DESC;

-- A candidate and what became of it: its own rejection, the sequences of its promotions.
CREATE VIEW candidates AS
    SELECT m.version, m.lane, m.parent, m.trained_at, m.event AS trained, r.event AS rejected,
           ARRAY(SELECT p.sequence FROM promotions p WHERE p.version = m.version ORDER BY p.sequence) AS promoted
    FROM models m LEFT JOIN rejections r ON r.cause = m.event_id;
