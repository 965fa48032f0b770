#!/usr/bin/env bash
# Makes the secrets of a deployment, those that are not there yet:  new-secrets.sh FOLDER
set -euo pipefail

folder=${1:?"name a folder: new-secrets.sh FOLDER"}
# The folder is closed to everybody else; the files are not, because each container reads them as a user of its own.
umask 022
mkdir -p "$folder"
chmod 700 "$folder"

new() { # NAME BYTES: so many random bytes in the alphabet that addresses and Fernet take
    [[ -e "$folder/$1" ]] || head -c "$2" /dev/urandom | base64 -w0 | tr '+/' '-_' > "$folder/$1"
}

new airflow_fernet_key 32 # encrypts connections; without it they cannot be read again, so keep a copy
new airflow_jwt_secret 48
new airflow_secret_key 48
new postgres_password 33
new journal_password 33
new redis_password 33
