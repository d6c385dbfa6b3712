-- Input, as all of this table: who logs in with OpenID Connect is known by the issuer and the subject alone.
-- Null for accounts with a password.
ALTER TABLE users ADD COLUMN issuer  text;
ALTER TABLE users ADD COLUMN subject text;
ALTER TABLE users ADD CONSTRAINT users_of_a_provider CHECK ((issuer IS NULL) = (subject IS NULL));
CREATE UNIQUE INDEX users_by_subject ON users (issuer, subject);
-- No projection: logins that an answer of the provider came to, so that a second one counts no more. `until` they would be
-- refused in any case. A replay forgets them: a provider takes each code once, too.
CREATE TABLE finished_logins (
    login_id text        PRIMARY KEY,
    until    timestamptz NOT NULL
);
