-- Whether a rejected row is announced again by itself: a rejection that may pass, before the last attempt.
ALTER TABLE plants_data ADD COLUMN will_retry boolean NOT NULL DEFAULT false;
UPDATE plants_data p SET will_retry = true
FROM images i WHERE i.image_id = p.image_id AND i.state = 'rejected' AND i.retryable AND i.rejected_attempt < 5;
