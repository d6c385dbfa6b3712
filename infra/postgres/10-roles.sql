-- Roles and databases. Run by psql as a superuser, again and again: it changes only what differs.
-- Passwords come from the environment, so that no command line and no file of the repository holds one.
\set ON_ERROR_STOP on
\set QUIET on
\getenv ingestor_password PAPPUS_INGESTOR_PASSWORD
\getenv labeler_password PAPPUS_LABELER_PASSWORD
\getenv trainer_password PAPPUS_TRAINER_PASSWORD
\getenv predictor_password PAPPUS_PREDICTOR_PASSWORD
\getenv predictor_api_password PAPPUS_PREDICTOR_API_PASSWORD
\getenv seeder_password PAPPUS_SEEDER_PASSWORD
\getenv mlflow_password PAPPUS_MLFLOW_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['ingestor', 'labeler', 'trainer', 'predictor', 'predictor_api', 'seeder', 'mlflow']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE ingestor PASSWORD :'ingestor_password';
ALTER ROLE labeler PASSWORD :'labeler_password';
ALTER ROLE trainer PASSWORD :'trainer_password';
ALTER ROLE predictor PASSWORD :'predictor_password';
ALTER ROLE predictor_api PASSWORD :'predictor_api_password';
ALTER ROLE seeder PASSWORD :'seeder_password';
ALTER ROLE mlflow PASSWORD :'mlflow_password';

SELECT 'CREATE DATABASE pappus' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'pappus')
\gexec
SELECT 'CREATE DATABASE mlflow OWNER mlflow' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'mlflow')
\gexec

-- A role enters only its own database, and makes nothing there outside its schemas.
REVOKE ALL ON DATABASE pappus, mlflow, postgres, template1 FROM PUBLIC;
REVOKE ALL ON DATABASE pappus FROM ingestor, labeler, trainer, predictor, predictor_api, seeder;
GRANT CONNECT ON DATABASE pappus TO ingestor, labeler, trainer, predictor, predictor_api, seeder;
GRANT ALL ON DATABASE mlflow TO mlflow;

-- No role takes the connections of others: together these are fewer than the server has (max_connections less 3). A
-- process of a service holds up to 13, and there are as many as autoscaling starts, with one more in an update.
ALTER ROLE ingestor CONNECTION LIMIT 65;
ALTER ROLE labeler CONNECTION LIMIT 55;
ALTER ROLE trainer CONNECTION LIMIT 120;
ALTER ROLE predictor CONNECTION LIMIT 145;
ALTER ROLE predictor_api CONNECTION LIMIT 20;  -- a replica holds 2 at most, and none while nothing is asked
ALTER ROLE mlflow CONNECTION LIMIT 20;
ALTER ROLE seeder CONNECTION LIMIT 5;
