#!/usr/bin/env bash
# Makes the journal's own database and user, when PostgreSQL starts for the first time.
set -euo pipefail
psql -v ON_ERROR_STOP=1 --username airflow --dbname airflow -v password="$(cat /run/secrets/journal_password)" <<'END'
CREATE ROLE tradehook LOGIN PASSWORD :'password';
CREATE DATABASE tradehook OWNER tradehook;
END
