-- A part of a file's name is found without reading all names. The extension pg_trgm would do it, but not every PostgreSQL that
-- Pappus runs on brings it (that of `pappus up` has none but vector), so an index of PostgreSQL's own holds the pieces of each
-- name: every three characters that follow each other, and the shorter rest at the end. A row is written when an image is
-- registered, stored or corrected; answers, which are many more, write nothing here.
CREATE FUNCTION pieces_of_name(file_name text, stored_url text, registered_url text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
    SELECT array_to_tsvector(array_agg(DISTINCT substr(name.folded, place, 3)))
    FROM (SELECT left(lower(coalesce(file_name, substring(
              split_part(split_part(coalesce(stored_url, registered_url), '#', 1), '?', 1) FROM '[^/]*$'))), 1000) AS folded)
        AS name, generate_series(1, length(name.folded)) AS place
$$;
-- What the pieces of a name that holds this part fulfil: of three characters and more all its pieces are among them, of fewer
-- one begins with it. Names with the same pieces in another order fulfil it, too.
CREATE FUNCTION pieces_of_part(part text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg('''' || replace(replace(substr(lower(part), place, 3), '\', '\\'), '''', '''''') || ''''
                      || CASE WHEN length(lower(part)) < 3 THEN ':*' ELSE '' END, ' & ')::tsquery
    FROM generate_series(1, greatest(1, length(lower(part)) - 2)) AS place
$$;
CREATE INDEX images_by_name ON images USING gin (pieces_of_name(file_name, stored_url, registered_url))
    WITH (gin_pending_list_limit = 256) WHERE stored_at IS NOT NULL;
-- Without statistics the index is always used: what else there is would compute the pieces of each name again.
ALTER INDEX images_by_name ALTER COLUMN 1 SET STATISTICS 0;
