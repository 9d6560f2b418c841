#!/bin/sh
# Databases, login roles and their passwords. Runs at every start, before the migrations, and may be repeated:
# a password changed in the environment is in force after the next `docker compose up`.
# What each role may do with the tables is decided by the migrations.
set -eu

for name in MIGRATOR_DB_PASSWORD APP_DB_PASSWORD AUDITOR_DB_PASSWORD TEMPORAL_DB_PASSWORD; do
  eval "value=\${$name:-}"
  # They become part of connection addresses, hence the narrow alphabet.
  case "$value" in
    *[!A-Za-z0-9_-]*) echo "$name: letters, digits, _ and - only" >&2; exit 1 ;;
  esac
  if [ "${#value}" -lt 16 ]; then
    echo "$name: 16 characters at least" >&2
    exit 1
  fi
done

exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres --output /dev/null <<'SQL'
\getenv migrator_password MIGRATOR_DB_PASSWORD
\getenv app_password APP_DB_PASSWORD
\getenv auditor_password AUDITOR_DB_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD
SET client_min_messages = warning;
SET log_statement = 'none';
SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I', name)
  FROM unnest(ARRAY['tandem_migrator', 'tandem_app', 'tandem_auditor', 'temporal']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- The migrations create the owner of the tables, which cannot log in: therefore CREATEROLE.
ALTER ROLE tandem_migrator LOGIN CREATEROLE PASSWORD :'migrator_password';
ALTER ROLE tandem_app LOGIN PASSWORD :'app_password';
ALTER ROLE tandem_auditor LOGIN PASSWORD :'auditor_password';
ALTER ROLE tandem_auditor SET default_transaction_read_only = on;
ALTER ROLE tandem_auditor SET statement_timeout = '60s';
ALTER ROLE temporal LOGIN PASSWORD :'temporal_password';

SELECT format('CREATE DATABASE %I OWNER %I', name, owner)
  FROM (VALUES ('tandem', 'tandem_migrator'), ('temporal', 'temporal'), ('temporal_visibility', 'temporal'))
       AS wanted (name, owner)
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec

REVOKE ALL ON DATABASE tandem, temporal, temporal_visibility FROM PUBLIC;
GRANT CONNECT ON DATABASE tandem TO tandem_app, tandem_auditor;
SQL
