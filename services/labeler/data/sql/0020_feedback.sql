-- Input, no projection: what people say about answers of the predictor, by the ids of the answers (commands/feedback.py). A replay keeps it.
-- A row with a label is kept until that is set: it is written before the image is uploaded, so that nothing is lost between the two.
-- A row without one says that the answer is wrong, and counts in Review until the image is decided about.
CREATE TABLE answer_feedback (
    feedback_id          uuid             PRIMARY KEY,  -- uuid5 of person, Idempotency-Key and answer
    said_by              text             NOT NULL,
    settles              boolean          NOT NULL,     -- it counts at once, also where labels are voted about
    said_at              timestamptz      NOT NULL,
    reason               text             NOT NULL,
    label                text,
    prediction_id        uuid             NOT NULL,
    sha256               text             NOT NULL,
    model_version        text             NOT NULL,
    answered_label       text             NOT NULL,
    answered_probability double precision NOT NULL,
    revision             integer          NOT NULL      -- of the image's label when it was said; 0 for one that is not stored
);
CREATE INDEX answer_feedback_of_bytes ON answer_feedback (sha256);
