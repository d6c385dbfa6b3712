-- label.corrected: whether a person agreed with the answer that they were shown, once for each image and version. The gate watches
-- what it promoted.
CREATE TABLE shown_answers (
    version  text    NOT NULL,
    image_id uuid    NOT NULL,
    agreed   boolean NOT NULL,
    PRIMARY KEY (version, image_id)
);
