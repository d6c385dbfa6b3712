-- The fold of prediction.logged: what the model said, about which bytes. Rows leave after some days, as the topic's records do.
CREATE TABLE predictions (
    prediction_id  uuid PRIMARY KEY,
    occurred_at    timestamptz NOT NULL,
    model_name     text NOT NULL,
    model_version  text NOT NULL,
    source         text NOT NULL,                      -- api, stored, probe
    image_id       uuid,                               -- null for an image that is not stored
    sha256         text NOT NULL,
    label          text NOT NULL,
    probabilities  jsonb NOT NULL,                     -- {label: 0..1}
    corrections    uuid[] NOT NULL,                    -- images whose corrections shaped the answer, heaviest first
    projection     double precision[] NOT NULL,        -- 16 numbers of the features
    milliseconds   double precision NOT NULL,
    replica        text NOT NULL
);
CREATE INDEX predictions_of_image ON predictions (image_id, occurred_at) WHERE image_id IS NOT NULL;
CREATE INDEX predictions_of_bytes ON predictions (sha256, occurred_at);
CREATE INDEX predictions_by_age ON predictions (occurred_at);
