-- An installation is prepared with the extension (infra/postgres), since only a superuser may make it.
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;

-- image.scored: where each image lies in the space of the full model that answered last. Whole numbers of -128 to 127, which
-- a halfvec keeps as they are: a replay finds the same ones. Nearness is the cosine, between places of one model.
CREATE TABLE places (
    image_id          uuid        PRIMARY KEY,
    full_model_sha256 text        NOT NULL,
    place             halfvec(64) NOT NULL
);
CREATE INDEX places_by_nearness ON places USING hnsw (place halfvec_cosine_ops) WITH (m = 16, ef_construction = 100);
-- While few images have an answer of a new model, all of these are compared.
CREATE INDEX places_of_model ON places (full_model_sha256);
