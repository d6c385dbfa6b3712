-- label.corrected may take a label away. decided: a person's decision holds, corrected_label is its label, null for none; else
-- the image has the label it was registered with.
ALTER TABLE images ADD COLUMN decided boolean NOT NULL DEFAULT false;
UPDATE images SET decided = true WHERE revision > 0;
