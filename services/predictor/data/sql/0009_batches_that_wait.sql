-- Whether anything of a batch waits is asked for each batch with a callback, every second, and for each follower: by batch, so
-- that the answered images of unfinished batches are not counted each time. How many wait is counted in it each few seconds.
CREATE INDEX batch_predictions_waiting ON batch_predictions (batch_id) WHERE completed_at IS NULL;
