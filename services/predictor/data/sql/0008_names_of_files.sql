-- prediction.requested and prediction.completed: what the client calls a file; null for images that came as none. The request's
-- name goes before that of the outcome.
ALTER TABLE batch_predictions ADD COLUMN file_name text;
-- How many wait is counted each few seconds.
CREATE INDEX batch_predictions_waiting ON batch_predictions (prediction_id) WHERE completed_at IS NULL;
