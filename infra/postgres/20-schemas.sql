-- One schema per service, owned by the role of the same name, invisible to the others. Tables are in services/*/data/sql.
-- A replay folds into the schema <service>_replay, and moves what is in it: no role may make or rename a schema.
\set ON_ERROR_STOP on
\set QUIET on
\connect pappus
SET client_min_messages = warning;

CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;

CREATE SCHEMA IF NOT EXISTS ingestor AUTHORIZATION ingestor;
CREATE SCHEMA IF NOT EXISTS labeler AUTHORIZATION labeler;
CREATE SCHEMA IF NOT EXISTS trainer AUTHORIZATION trainer;
CREATE SCHEMA IF NOT EXISTS predictor AUTHORIZATION predictor;
CREATE SCHEMA IF NOT EXISTS ingestor_replay AUTHORIZATION ingestor;
CREATE SCHEMA IF NOT EXISTS labeler_replay AUTHORIZATION labeler;
CREATE SCHEMA IF NOT EXISTS trainer_replay AUTHORIZATION trainer;
CREATE SCHEMA IF NOT EXISTS predictor_replay AUTHORIZATION predictor;

-- Formerly any role could make a schema, under any name.
ALTER SCHEMA ingestor_replay OWNER TO ingestor;
ALTER SCHEMA labeler_replay OWNER TO labeler;
ALTER SCHEMA trainer_replay OWNER TO trainer;
ALTER SCHEMA predictor_replay OWNER TO predictor;

-- `public` holds the types of the extension and nothing else: only a superuser may create there.
ALTER ROLE ingestor IN DATABASE pappus SET search_path = ingestor, public;
ALTER ROLE labeler IN DATABASE pappus SET search_path = labeler, public;
ALTER ROLE trainer IN DATABASE pappus SET search_path = trainer, public;
ALTER ROLE predictor IN DATABASE pappus SET search_path = predictor, public;

-- Locks belong to services: their names are the same for all roles, and one that a person holds stops a part silently.
DO $$
DECLARE
    lock regprocedure;
BEGIN
    FOR lock IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname LIKE 'pg%advisory%'
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', lock);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO ingestor, labeler, trainer, predictor', lock);
    END LOOP;
END $$;

-- A person with SQL puts rows into plants_data; the ingestor's migration grants that table to this role.
ALTER ROLE seeder IN DATABASE pappus SET search_path = ingestor;
-- Replicas of the predictor, which answer strangers, read the tables of answers. The predictor's migrations grant them, too; this is for tables that
-- are older than the role.
ALTER ROLE predictor_api IN DATABASE pappus SET search_path = predictor;
GRANT USAGE ON SCHEMA predictor TO predictor_api;
SELECT format('GRANT SELECT ON predictor.%I TO predictor_api', name)
FROM unnest(ARRAY['predictions', 'batches', 'batch_predictions', 'completion_numbers']) AS name
WHERE to_regclass('predictor.' || name) IS NOT NULL
\gexec
