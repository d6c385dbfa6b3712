-- prediction.requested and prediction.completed: what the client calls a file; null for images that came as none. The request's
-- name goes before that of the outcome.
ALTER TABLE batch_predictions ADD COLUMN file_name text;
