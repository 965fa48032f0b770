#!/usr/bin/env bash
# The same deployment as compose.yaml, as plain processes on one machine, with the sandbox as the exchange.
#
#   processes.sh up                  start all of it, and wait until Airflow answers
#   processes.sh start|stop NAME     one process: processes.sh stop triggerer
#   processes.sh kill NAME           one process and its children, by SIGKILL, as when a machine goes
#   processes.sh status              which run
#   processes.sh run COMMAND...      a command with this deployment's settings: processes.sh run airflow dags list
#   processes.sh tradehook WORDS...  the command line on the same account and journal
#   processes.sh down                stop all of it; what it wrote stays in its folder
#
# It needs Debian's postgresql and redis-server, and tradehook[airflow,celery,postgres,sandbox] on the PATH.
# Everything it writes is in $FOLDER (.celery); settings in $FOLDER/override.env win over airflow.env. Everybody who reaches the port of the API server is an administrator:
# it listens on this machine only, and this is for play money.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
FOLDER=$(mkdir -p "${FOLDER:-.celery}" && cd "${FOLDER:-.celery}" && pwd)
DAGS=${DAGS:-$here/../../dags}
API_PORT=${API_PORT:-8080} POSTGRES_PORT=${POSTGRES_PORT:-5442} REDIS_PORT=${REDIS_PORT:-6390}
SANDBOX_PORT=${SANDBOX_PORT:-8787} LOG_PORT=${LOG_PORT:-8793}

# Two of what a deployment may lose one of, one of what it can do without for a while.
AIRFLOW=(api-server scheduler-1 scheduler-2 dag-processor triggerer worker-1 worker-2)
ALL=(postgres redis sandbox "${AIRFLOW[@]}")

set -a
# shellcheck source=airflow.env
. "$here/airflow.env"
# What is tried for once stands in a file of the folder.
if [[ -r $FOLDER/override.env ]]; then . "$FOLDER/override.env"; fi
SECRETS=$FOLDER/secrets POSTGRES=127.0.0.1:$POSTGRES_PORT REDIS=127.0.0.1:$REDIS_PORT
AIRFLOW_HOME=$FOLDER/airflow
AIRFLOW__CORE__DAGS_FOLDER=$(cd "$DAGS" && pwd)
AIRFLOW__API__HOST=127.0.0.1
AIRFLOW__API__PORT=$API_PORT
AIRFLOW__API__BASE_URL=http://127.0.0.1:$API_PORT
AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://127.0.0.1:$API_PORT/execution/
AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS=True
AIRFLOW__CELERY__WORKER_CONCURRENCY=${WORKER_CONCURRENCY:-2}
NO_PROXY=127.0.0.1,localhost
C_FORCE_ROOT=1 # Celery warns of pickle, which Airflow does not use
set +a

alive() { [[ -r "$FOLDER/pids/$1" ]] && kill -0 -- "-$(<"$FOLDER/pids/$1")" 2>/dev/null; }

# A process in a session of its own, so that its children can be stopped with it.
launch() { # NAME COMMAND...
    local name=$1
    shift
    setsid "$@" >>"$FOLDER/logs/$name.log" 2>&1 </dev/null &
    echo $! >"$FOLDER/pids/$name"
}

psql_admin() {
    PGPASSWORD=$(<"$SECRETS/postgres_password") \
        "$programs/psql" -qtAX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$POSTGRES_PORT" -U airflow "$@"
}

until_it() { # SECONDS WHAT COMMAND...
    local seconds=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || { echo "$what did not come up within $seconds s. See $FOLDER/logs." >&2; exit 1; }
        sleep 0.3
    done
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }
api_answers() { port_answers "$API_PORT"; }

airflow_() { # NAME COMMAND...
    local name=$1
    shift
    launch "$name" "$here/with-secrets.sh" airflow "$@"
}

start() {
    alive "$1" && return
    case $1 in
    postgres)
        if [[ ! -d $FOLDER/postgres ]]; then
            mkdir "$FOLDER/postgres"
            cp "$SECRETS/postgres_password" "$FOLDER/initial_password"
            [[ $EUID -ne 0 ]] || chown postgres "$FOLDER/postgres" "$FOLDER/initial_password"
            "$here/as-postgres.sh" "$programs/initdb" -D "$FOLDER/postgres" -U airflow --auth=scram-sha-256 \
                --locale=C.UTF-8 --pwfile="$FOLDER/initial_password" >"$FOLDER/logs/initdb.log"
            rm "$FOLDER/initial_password"
        fi
        launch postgres "$here/as-postgres.sh" "$programs/postgres" -D "$FOLDER/postgres" -p "$POSTGRES_PORT" \
            -h 127.0.0.1 -k "" -c max_connections=300
        until_it 30 PostgreSQL psql_admin -d postgres -c 'SELECT 1'
        ;;
    redis)
        umask 077
        printf 'bind 127.0.0.1\nport %s\nrequirepass %s\ndir %s\nappendonly yes\n' \
            "$REDIS_PORT" "$(<"$SECRETS/redis_password")" "$FOLDER/redis" >"$FOLDER/redis/redis.conf"
        launch redis redis-server "$FOLDER/redis/redis.conf"
        until_it 15 Redis port_answers "$REDIS_PORT"
        ;;
    sandbox)
        launch sandbox tradehook-sandbox serve --port "$SANDBOX_PORT" --key-file "$FOLDER/key.json" \
            --state "$FOLDER/sandbox.db" --rate-limit 0 --withdrawal-seconds 1
        until_it 30 "The sandbox" port_answers "$SANDBOX_PORT"
        ;;
    api-server) airflow_ api-server api-server ;;
    scheduler-*) airflow_ "$1" scheduler ;;
    dag-processor) airflow_ dag-processor dag-processor ;;
    triggerer)
        AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=$((LOG_PORT + 9)) airflow_ triggerer triggerer
        ;;
    worker-*)
        # Two on one machine: each shows its logs at a port of its own.
        AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=$((LOG_PORT + ${1#worker-})) \
            airflow_ "$1" celery worker --celery-hostname "$1@%h" --without-mingle --without-gossip
        ;;
    *) echo "There is no process $1; there are: ${ALL[*]}." >&2; exit 1 ;;
    esac
}

stop() { # NAME SIGNAL
    alive "$1" || return 0
    local group
    group=$(<"$FOLDER/pids/$1")
    # PostgreSQL waits for its clients at TERM, so it gets INT; of Celery, TERM to all children would lose their tasks.
    case $1 in
    postgres) kill -INT "$group" ;;
    worker-*) kill -TERM "$group" ;;
    *) kill -TERM -- "-$group" ;;
    esac 2>/dev/null || true
    for _ in {1..100}; do
        alive "$1" || return 0
        sleep 0.2
    done
    kill -KILL -- "-$group" 2>/dev/null || true
}

tradehook_() { # the command line, on the account and the journal of the tasks
    TRADEHOOK_ENVIRONMENT=sandbox TRADEHOOK_TRUE_MARKETS_URL=http://127.0.0.1:$SANDBOX_PORT \
        TRADEHOOK_TRUE_MARKETS_KEY_FILE=$FOLDER/key.json \
        TRADEHOOK_JOURNAL_URL=postgresql://tradehook:$(<"$SECRETS/journal_password")@$POSTGRES/tradehook \
        tradehook "$@"
}

# The databases, what Airflow and tradehook keep in them, and the connections; all of it can be done again.
prepare() {
    local journal_password
    journal_password=$(<"$SECRETS/journal_password")
    psql_admin -d postgres -c "SELECT 1 FROM pg_roles WHERE rolname = 'tradehook'" | grep -q 1 ||
        psql_admin -d postgres -c "CREATE ROLE tradehook LOGIN PASSWORD '$journal_password'"
    for database in airflow:airflow tradehook:tradehook; do
        psql_admin -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '${database%:*}'" | grep -q 1 ||
            psql_admin -d postgres -c "CREATE DATABASE ${database%:*} OWNER ${database#*:}"
    done
    "$here/with-secrets.sh" airflow db migrate >"$FOLDER/logs/migrate.log" 2>&1
    # A task never makes a journal, and never changes one that is older than itself.
    tradehook_ journal upgrade >"$FOLDER/logs/journal.log" 2>&1
    (
        umask 077
        cat >"$FOLDER/connections.json" <<END
{
  "tradehook_journal": {"conn_type": "postgres", "host": "127.0.0.1", "port": $POSTGRES_PORT,
    "login": "tradehook", "password": "$journal_password", "schema": "tradehook"},
  "true_markets_default": {"conn_type": "true_markets", "host": "http://127.0.0.1:$SANDBOX_PORT",
    "extra": {"environment": "sandbox", "key_path": "$FOLDER/key.json", "journal_conn_id": "tradehook_journal"}}
}
END
    )
    "$here/with-secrets.sh" airflow connections import --overwrite "$FOLDER/connections.json" \
        >"$FOLDER/logs/connections.log" 2>&1
    rm "$FOLDER/connections.json"
}

find_programs() { find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -1 | xargs -r dirname; }

mkdir -p "$FOLDER"/{logs,pids,redis,airflow}
programs=$(find_programs)
[[ -n $programs ]] || { echo "Install PostgreSQL first: apt-get install postgresql" >&2; exit 1; }
command -v redis-server >/dev/null || { echo "Install Redis first: apt-get install redis-server" >&2; exit 1; }
"$here/new-secrets.sh" "$SECRETS"

case ${1:-} in
up)
    for name in postgres redis sandbox; do start "$name"; done
    prepare
    for name in "${AIRFLOW[@]}"; do start "$name"; done
    until_it 180 "The API server" api_answers
    echo "Airflow: http://127.0.0.1:$API_PORT   sandbox: http://127.0.0.1:$SANDBOX_PORT   logs: $FOLDER/logs"
    ;;
down) for ((i = ${#ALL[@]} - 1; i >= 0; i--)); do stop "${ALL[i]}"; done ;;
start) start "${2:?name a process}" ;;
stop) stop "${2:?name a process}" ;;
kill) kill -KILL -- "-$(<"$FOLDER/pids/${2:?name a process}")" ;;
status) for name in "${ALL[@]}"; do alive "$name" && echo "$name runs" || echo "$name does not run"; done ;;
tradehook) shift && tradehook_ "$@" ;;
run) shift && exec "$here/with-secrets.sh" "$@" ;;
*) sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
