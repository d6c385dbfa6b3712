-- drift.detected
CREATE TABLE drifts (
    event_id    uuid        PRIMARY KEY,
    detected_at timestamptz NOT NULL,
    event       jsonb       NOT NULL
);
CREATE INDEX drifts_by_time ON drifts (detected_at);

-- label.corrected: what people said about the answers of each version; the first decision about an image and a version counts.
CREATE TABLE shown_answers (
    version text    PRIMARY KEY,
    answers integer NOT NULL,
    agreed  integer NOT NULL
);
INSERT INTO shown_answers (version, answers, agreed)
    SELECT shown_model_version, count(*), count(*) FILTER (WHERE label_to = shown_label)
    FROM (SELECT DISTINCT ON (image_id, shown_model_version) *
          FROM label_history
          WHERE shown_model_version IS NOT NULL AND shown_label IS NOT NULL AND label_to IS NOT NULL
          ORDER BY image_id, shown_model_version, occurred_at, event_id) first
    GROUP BY shown_model_version;
