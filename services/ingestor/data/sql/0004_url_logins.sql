-- A user and a password in a URL are used for its requests and shown nowhere: they are taken out of the row before it is
-- written, kept where people with SQL cannot look, and deleted with the last outcome of the row.
CREATE TABLE url_logins (
    url_source text PRIMARY KEY,                       -- as it stands in plants_data, without the login
    login      text NOT NULL                           -- user:password, as it was written
);

-- What stands before the login, the login in one of two forms, and the rest; NULL without a login. The same expression
-- as in services/ingestor/decisions/urls.py.
CREATE FUNCTION url_parts(url text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_match(url, '^(\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]*)'
        || '(?:([^/?#\\]*)@|([^/?#\\@:\[]*:[^/?#\\@]*[^0-9/?#\\@][^/?#\\@]*[/?#\\].*)@)(.*)$')
$$;
CREATE FUNCTION login_of(url text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN nullif(coalesce((url_parts(url))[2], (url_parts(url))[3]), '');
CREATE FUNCTION url_without_login(url text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN coalesce((url_parts(url))[1] || (url_parts(url))[4], url);

-- SECURITY DEFINER: who may insert rows must not be able to read the logins of others.
CREATE FUNCTION keep_login_apart() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    found text;
BEGIN
    IF octet_length(NEW.url_source) > 4000 OR position('@' IN NEW.url_source) = 0 THEN
        RETURN NEW;
    END IF;
    EXECUTE format('SELECT %1$I.login_of($1), %1$I.url_without_login($1)', TG_TABLE_SCHEMA)
        INTO found, NEW.url_source USING NEW.url_source;
    IF found IS NOT NULL THEN
        EXECUTE format('INSERT INTO %1$I.url_logins SELECT $1, $2
            WHERE NOT EXISTS (SELECT FROM %1$I.plants_data WHERE url_source = $1) ON CONFLICT DO NOTHING', TG_TABLE_SCHEMA)
            USING NEW.url_source, found;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plants_data_login BEFORE INSERT ON plants_data
    FOR EACH ROW EXECUTE FUNCTION keep_login_apart();

-- Rows of before: one row of those that differ in their login only.
INSERT INTO url_logins
    SELECT DISTINCT ON (1) url_without_login(url_source), login_of(url_source) FROM plants_data
    WHERE (state = 'waiting' OR will_retry) AND login_of(url_source) IS NOT NULL ORDER BY 1, id;
UPDATE plants_data p SET url_source = url_without_login(p.url_source)
    FROM (SELECT DISTINCT ON (url_without_login(url_source)) id FROM plants_data
          ORDER BY url_without_login(url_source), url_source = url_without_login(url_source) DESC, id) first
    WHERE first.id = p.id AND p.url_source <> url_without_login(p.url_source);
UPDATE images SET url_source = url_without_login(url_source), url = url_without_login(url)
    WHERE url <> url_without_login(url);
