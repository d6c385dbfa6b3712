-- The fast lane looks for images that were stored since it last looked.
CREATE INDEX images_by_age ON images (stored_at);
