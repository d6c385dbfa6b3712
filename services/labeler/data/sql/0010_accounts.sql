-- Input, as all of this table: accounts that an admin made in the app. made_by is null for those that the users file names.
ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('uploader', 'labeler', 'operator', 'admin'));
ALTER TABLE users ADD COLUMN made_by     text;
ALTER TABLE users ADD COLUMN made_at     timestamptz NOT NULL DEFAULT now();
ALTER TABLE users ADD COLUMN disabled_at timestamptz;
