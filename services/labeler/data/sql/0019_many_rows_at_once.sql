-- Images are listed many at once, so they are counted once for each statement and kind: a row that one transaction writes a thousand
-- times is slow to find. The functions for one image stay for a release before this one, which may fold while this one starts.
DROP TRIGGER count_added ON listed_images;
DROP TRIGGER count_changed ON listed_images;
DROP FUNCTION count_listed_change();
DROP FUNCTION count_listed(listed_images, integer);

CREATE FUNCTION count_listed(
    of_label text, of_trust text, of_flagged text, of_person text, of_side text, of_disagrees boolean, of_to_review boolean,
    change bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    left_over bigint;
    place tid;
BEGIN
    INSERT INTO listed_counts AS known (label, trust, flagged, decided_by, side, disagrees, to_review, number)
    VALUES (of_label, of_trust, of_flagged, of_person, of_side, of_disagrees, of_to_review, change)
    ON CONFLICT (label, trust, flagged, decided_by, side, disagrees, to_review)
        DO UPDATE SET number = known.number + change
    RETURNING number, ctid INTO left_over, place;
    IF left_over = 0 THEN
        DELETE FROM listed_counts WHERE ctid = place;
    END IF;
END $$;
CREATE FUNCTION count_listed_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM count_listed(label, trust, flagged, decided_by, side, disagrees, to_review, count(*))
        FROM added GROUP BY label, trust, flagged, decided_by, side, disagrees, to_review;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM count_listed(label, trust, flagged, decided_by, side, disagrees, to_review, -count(*))
        FROM removed GROUP BY label, trust, flagged, decided_by, side, disagrees, to_review;
    ELSE
        PERFORM count_listed(label, trust, flagged, decided_by, side, disagrees, to_review, sum(change)::bigint)
        FROM (SELECT label, trust, flagged, decided_by, side, disagrees, to_review, 1 AS change FROM added
              UNION ALL SELECT label, trust, flagged, decided_by, side, disagrees, to_review, -1 FROM removed) AS both_sides
        GROUP BY label, trust, flagged, decided_by, side, disagrees, to_review HAVING sum(change) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_added AFTER INSERT ON listed_images
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_listed_changes();
CREATE TRIGGER count_removed AFTER DELETE ON listed_images
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_listed_changes();
CREATE TRIGGER count_changed AFTER UPDATE ON listed_images
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_listed_changes();
