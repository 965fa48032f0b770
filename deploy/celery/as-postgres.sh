#!/usr/bin/env bash
# Runs a command as the user postgres where this is root, since PostgreSQL refuses to run as root.
set -euo pipefail
[[ $EUID -ne 0 ]] || exec setpriv --reuid postgres --regid postgres --init-groups "$@"
exec "$@"
