-- Replicas answer strangers: they read this table and no other, with a role of their own.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'predictor_api') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO predictor_api', current_schema());
        GRANT SELECT ON predictions TO predictor_api;
    END IF;
END $$;
