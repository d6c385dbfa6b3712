-- image.withdrawn: images that a person took back; one row an image, the first announcement counts. Rows of the other tables stay,
-- as the fold of their own topics, and nothing is made from them any more.
CREATE TABLE withdrawn_images (
    image_id     uuid        PRIMARY KEY,
    event_id     uuid        NOT NULL,
    sha256       text        NOT NULL,
    withdrawn_at timestamptz NOT NULL
);

-- The stored images that models are made from and tested on.
CREATE VIEW usable_images AS
    SELECT * FROM images i WHERE NOT EXISTS (SELECT FROM withdrawn_images w WHERE w.image_id = i.image_id);
