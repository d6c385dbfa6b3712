-- Each column is the fold of one topic, so the order between topics does not matter and nothing refers across them.

CREATE TABLE images (
    image_id            uuid        PRIMARY KEY,
    -- image.registered: the first attempt says who and what, later ones only raise the attempt
    registered_event_id uuid,
    registered_by       text,
    registered_label    text,
    registered_trust    text,
    registered_url      text,
    registered_at       timestamptz,
    attempt             integer,
    -- image.stored: the first announcement counts
    stored_event_id     uuid,
    stored_by           text,
    stored_label        text,
    stored_trust        text,
    stored_url          text,
    sha256              text,
    object_key          text,
    size_bytes          bigint,
    width               integer,
    height              integer,
    image_format        text,
    group_id            text,
    stored_at           timestamptz,
    -- image.rejected: the newest attempt counts
    rejected_attempt    integer,
    rejection_reason    text,
    rejection_detail    text,
    rejection_retryable boolean,
    duplicate_of        uuid,
    rejected_at         timestamptz,
    -- label.corrected: the revision that applies
    revision            integer     NOT NULL DEFAULT 0,
    corrected_label     text,
    corrected_by        text
);
CREATE INDEX images_of_bytes ON images (sha256);
CREATE INDEX images_to_review ON images (image_id) WHERE stored_at IS NOT NULL AND revision = 0;

-- label.corrected: every revision anybody ever asked for, the superseded ones too.
CREATE TABLE label_history (
    event_id            uuid        PRIMARY KEY,
    image_id            uuid        NOT NULL,
    revision            integer     NOT NULL,
    label_from          text,
    label_to            text        NOT NULL,
    corrected_by        text        NOT NULL,
    occurred_at         timestamptz NOT NULL,
    reason              text        NOT NULL,
    shown_model_version text,
    shown_label         text,
    prediction_id       uuid,
    applied             boolean     NOT NULL
);
CREATE INDEX label_history_of_image ON label_history (image_id, revision);

-- prediction.logged: the newest answer about each stored image. The margin is the lead of its best label over the second.
CREATE TABLE predictions (
    image_id      uuid             PRIMARY KEY,
    prediction_id uuid             NOT NULL,
    label         text             NOT NULL,
    probabilities jsonb            NOT NULL,
    margin        double precision NOT NULL,
    model_version text             NOT NULL,
    occurred_at   timestamptz      NOT NULL
);

-- model.trained
CREATE TABLE models (
    version    text        PRIMARY KEY,
    lane       text        NOT NULL,
    parent     text,
    trained_at timestamptz NOT NULL,
    event      jsonb       NOT NULL
);

-- model.promoted: those that count, and those that came too late
CREATE TABLE promotions (
    event_id    uuid        PRIMARY KEY,
    sequence    integer     NOT NULL,
    counts      boolean     NOT NULL,
    version     text        NOT NULL,
    answers     uuid,
    promoted_at timestamptz NOT NULL,
    event       jsonb       NOT NULL
);
CREATE UNIQUE INDEX promotions_that_count ON promotions (sequence) WHERE counts;
CREATE INDEX promotions_of_version ON promotions (version) WHERE counts;
CREATE INDEX promotions_of_request ON promotions (answers) WHERE counts;

-- model.rejected: of candidates (answers is null) and of requests
CREATE TABLE rejections (
    event_id    uuid        PRIMARY KEY,
    version     text,
    answers     uuid,
    rejected_at timestamptz NOT NULL,
    event       jsonb       NOT NULL
);
CREATE INDEX rejections_of_version ON rejections (version);
CREATE INDEX rejections_of_request ON rejections (answers);

-- model.rejected: the newest sentence about each correction that was left out
CREATE TABLE set_aside (
    image_id     uuid        NOT NULL,
    revision     integer     NOT NULL,
    version      text,
    sentence     text        NOT NULL,
    set_aside_at timestamptz NOT NULL,
    PRIMARY KEY (image_id, revision)
);

-- promotion.requested
CREATE TABLE promotion_requests (
    event_id     uuid        PRIMARY KEY,
    action       text        NOT NULL,
    version      text,
    requested_by text        NOT NULL,
    reason       text        NOT NULL,
    requested_at timestamptz NOT NULL
);

-- model.trained with model.promoted: the first counting promotion that brought a correction into service. Whichever of the
-- two events comes last writes the row, and the lowest sequence stays.
CREATE TABLE live_corrections (
    image_id uuid        NOT NULL,
    revision integer     NOT NULL,
    sequence integer     NOT NULL,
    version  text        NOT NULL,
    live_at  timestamptz NOT NULL,
    PRIMARY KEY (image_id, revision)
);

-- Input, not a projection: people who may log in. A replay keeps it.
CREATE TABLE users (
    name          text PRIMARY KEY,
    role          text NOT NULL CHECK (role IN ('labeler', 'operator')),
    password_hash text NOT NULL
);
