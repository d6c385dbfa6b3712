-- A label that comes in is at most as long as one that comes over HTTP: it travels in events, and Kafka takes no event of
-- any size. Once a row is announced, it shows what the log says, whatever its length.
-- Rows that wait with a longer label keep its beginning: they are announced, and rejected as unknown_label.
UPDATE plants_data SET label = left(label, 49) || '…' WHERE announced_at IS NULL AND octet_length(label) > 200;
ALTER TABLE plants_data ADD CONSTRAINT plants_data_label_length
    CHECK (announced_at IS NOT NULL OR octet_length(label) <= 200);
