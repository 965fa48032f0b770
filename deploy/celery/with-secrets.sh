#!/usr/bin/env bash
# Runs a command with the secrets of this deployment in its environment:  with-secrets.sh airflow scheduler
#
# Each secret is a file of its own in $SECRETS (/run/secrets in a container): airflow_fernet_key, airflow_jwt_secret,
# airflow_secret_key, postgres_password, journal_password, redis_password. Passwords are of letters, digits, - and _.
set -euo pipefail

SECRETS=${SECRETS:-/run/secrets}
POSTGRES=${POSTGRES:-postgres:5432}
REDIS=${REDIS:-redis:6379}

secret() {
    [[ -r "$SECRETS/$1" ]] || { echo "There is no secret $SECRETS/$1. deploy/celery/new-secrets.sh makes it." >&2; exit 1; }
    # Anything else would have to be quoted in an address.
    [[ "$(<"$SECRETS/$1")" =~ ^[A-Za-z0-9_=-]+$ ]] || { echo "The secret $1 has signs other than A-Z a-z 0-9 _ = -." >&2; exit 1; }
    printf '%s' "$(<"$SECRETS/$1")"
}

# Each by itself, so that a missing one ends the script.
AIRFLOW__CORE__FERNET_KEY=$(secret airflow_fernet_key)
AIRFLOW__API_AUTH__JWT_SECRET=$(secret airflow_jwt_secret)
AIRFLOW__API__SECRET_KEY=$(secret airflow_secret_key)
postgres_password=$(secret postgres_password)
redis_password=$(secret redis_password)
export AIRFLOW__CORE__FERNET_KEY AIRFLOW__API_AUTH__JWT_SECRET AIRFLOW__API__SECRET_KEY

# psycopg 3, which the journal needs anyway, serves both ways; without the second, Airflow looks for asyncpg.
export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg://airflow:$postgres_password@$POSTGRES/airflow"
export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC=$AIRFLOW__DATABASE__SQL_ALCHEMY_CONN
export AIRFLOW__CELERY__RESULT_BACKEND="db+$AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
export AIRFLOW__CELERY__BROKER_URL="redis://:$redis_password@$REDIS/0"

exec "$@"
