-- Where the bytes of an upload are, for a row that has to be announced again because its registration is not on the log.
ALTER TABLE plants_data ADD COLUMN upload_key text;
