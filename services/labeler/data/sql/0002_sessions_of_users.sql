-- A session counts if it began at this time or later.
ALTER TABLE users ADD COLUMN sessions_from timestamptz NOT NULL DEFAULT 'epoch';
