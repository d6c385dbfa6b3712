-- model.trained lists all corrections of a candidate, or what was added to those of its parent and removed from them (then
-- `corrections` is null).
CREATE INDEX models_of_parent ON models (parent);

-- The corrections that a field of the event lists; none if it has no such field.
CREATE FUNCTION corrections_in(event jsonb, field text) RETURNS TABLE (image_id uuid, revision integer)
LANGUAGE sql IMMUTABLE AS $$
    SELECT image_id, revision
    FROM jsonb_to_recordset(nullif(event -> field, 'null')) AS listed (image_id uuid, revision integer)
$$;

-- All corrections that a model holds: of it and of its parents, up to the first that listed all, the nearest word counts.
CREATE FUNCTION held_corrections(of_version text) RETURNS TABLE (image_id uuid, revision integer)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE line AS (
        SELECT event, 0 AS depth FROM models WHERE version = of_version
        UNION ALL
        SELECT before.event, depth + 1 FROM line JOIN models before ON before.version = line.event ->> 'parent'
        WHERE jsonb_typeof(line.event -> 'corrections') = 'null'
    ), said AS (
        SELECT depth, true AS held, listed.* FROM line CROSS JOIN corrections_in(event, 'corrections') listed
        UNION ALL SELECT depth, true, listed.* FROM line CROSS JOIN corrections_in(event, 'added') listed
        UNION ALL SELECT depth, false, listed.* FROM line CROSS JOIN corrections_in(event, 'removed') listed
    ), newest AS (
        SELECT DISTINCT ON (image_id, revision) * FROM said ORDER BY image_id, revision, depth
    )
    SELECT image_id, revision FROM newest WHERE held
$$;

-- The models that hold a correction of this image, with its revision.
CREATE FUNCTION models_holding(of_image uuid) RETURNS TABLE (version text, revision integer)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE holding AS (
        SELECT models.version, listed.revision
        FROM models CROSS JOIN LATERAL (SELECT * FROM corrections_in(event, 'corrections')
                                        UNION ALL SELECT * FROM corrections_in(event, 'added')) listed
        WHERE listed.image_id = of_image
        UNION
        SELECT after.version, holding.revision FROM holding JOIN models after ON after.parent = holding.version
        WHERE jsonb_typeof(after.event -> 'corrections') = 'null'
          AND NOT EXISTS (SELECT FROM corrections_in(after.event, 'removed') gone
                          WHERE gone.image_id = of_image AND gone.revision = holding.revision)
    )
    SELECT version, revision FROM holding
$$;
