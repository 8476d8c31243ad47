-- The database and its four roles. Run by a superuser with psql, any number of times:
--
--   CINECA_OWNER_PASSWORD=... CINECA_APP_PASSWORD=... CINECA_ENGINE_PASSWORD=... CINECA_ISSUER_PASSWORD=... \
--     psql -X -d postgres -f deploy/postgres/roles.sql
--
-- cineca_owner   owns the database and everything in it, and runs migrations; nothing else connects as it
-- cineca_app     the API and the job handlers: one tenant at a time, by row-level security
-- cineca_engine  claims, leases and sweepers: looks across tenants, at few columns
-- cineca_issuer  accounts and OAuth tables
--
-- None of them bypasses row-level security. What each may do to a table is granted by the migrations.
-- Passwords come from the environment, so that they show neither in `ps` nor in a shell's history.

\set ON_ERROR_STOP on
\set QUIET on
\getenv owner_password CINECA_OWNER_PASSWORD
\getenv app_password CINECA_APP_PASSWORD
\getenv engine_password CINECA_ENGINE_PASSWORD
\getenv issuer_password CINECA_ISSUER_PASSWORD
\set database cineca_platform
\getenv database CINECA_DATABASE

-- Statements that carry a password must not reach the server's log or pg_stat_statements.
SET client_min_messages = warning;
SET log_statement = none;
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
SET pg_stat_statements.track_utility = off;

SELECT format('CREATE ROLE %I', role)
  FROM unnest(ARRAY['cineca_owner', 'cineca_app', 'cineca_engine', 'cineca_issuer']) AS role
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

ALTER ROLE cineca_owner  LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'owner_password';
ALTER ROLE cineca_app    LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'app_password';
ALTER ROLE cineca_engine LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'engine_password';
ALTER ROLE cineca_issuer LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'issuer_password';

-- A forgotten transaction or a runaway query ends by itself. Not for the owner: a migration may take long.
SELECT format('ALTER ROLE %I SET %s = %L', role, setting, value)
  FROM unnest(ARRAY['cineca_app', 'cineca_engine', 'cineca_issuer']) AS role,
       (VALUES ('idle_in_transaction_session_timeout', '5s'),
               ('statement_timeout', '10s'),
               ('lock_timeout', '2s')) AS limits (setting, value) \gexec

SELECT format('CREATE DATABASE %I OWNER cineca_owner', :'database')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

ALTER DATABASE :"database" OWNER TO cineca_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO cineca_owner, cineca_app, cineca_engine, cineca_issuer;

\connect :"database"
SET client_min_messages = warning;
ALTER SCHEMA public OWNER TO cineca_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO cineca_app, cineca_engine, cineca_issuer;
