-- Roles and databases. Run by psql as a superuser, again and again: it changes only what differs.
-- Passwords come from the environment, so that no command line and no file of the repository holds one.
\set ON_ERROR_STOP on
\set QUIET on
\getenv ingestor_password PAPPUS_INGESTOR_PASSWORD
\getenv labeler_password PAPPUS_LABELER_PASSWORD
\getenv trainer_password PAPPUS_TRAINER_PASSWORD
\getenv predictor_password PAPPUS_PREDICTOR_PASSWORD
\getenv seeder_password PAPPUS_SEEDER_PASSWORD
\getenv mlflow_password PAPPUS_MLFLOW_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['ingestor', 'labeler', 'trainer', 'predictor', 'seeder', 'mlflow']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE ingestor PASSWORD :'ingestor_password';
ALTER ROLE labeler PASSWORD :'labeler_password';
ALTER ROLE trainer PASSWORD :'trainer_password';
ALTER ROLE predictor PASSWORD :'predictor_password';
ALTER ROLE seeder PASSWORD :'seeder_password';
ALTER ROLE mlflow PASSWORD :'mlflow_password';

SELECT 'CREATE DATABASE pappus' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'pappus')
\gexec
SELECT 'CREATE DATABASE mlflow OWNER mlflow' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'mlflow')
\gexec

-- A role enters only its own database. A service may make schemas: a replay folds into a second one and swaps.
REVOKE ALL ON DATABASE pappus, mlflow FROM PUBLIC;
GRANT CONNECT, TEMPORARY, CREATE ON DATABASE pappus TO ingestor, labeler, trainer, predictor;
GRANT CONNECT ON DATABASE pappus TO seeder;
GRANT ALL ON DATABASE mlflow TO mlflow;
