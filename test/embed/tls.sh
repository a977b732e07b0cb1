#!/bin/bash
# Runs a command with a Redis and a Postgres of its own, which it reaches over TLS, with a password, and where 500
# customers are.
#
# Usage: tls.sh WITH_SERVERS SQL_DIRECTORY COMMAND [ARGUMENT...]

set -euo pipefail
with_servers=$1
sql=$2
shift 2

dir=$(mktemp -d /tmp/cp-tls.XXXXXX)
trap 'rm -rf --one-file-system "$dir"' EXIT
chmod 755 "$dir"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=cachepusher \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$dir/openssl.log" || {
    cat "$dir/openssl.log"
    exit 1
}
printf '%s\n' 'local all all trust' 'hostssl all all 127.0.0.0/8 scram-sha-256' >"$dir/hba.conf"
chmod 600 "$dir/key.pem"
((EUID != 0)) || chown postgres: "$dir"/*.pem "$dir/hba.conf"

# An address of the loopback network that nobody else listens at, since the port is always the same.
address=127.$((1 + RANDOM % 250)).$((RANDOM % 250)).$((1 + RANDOM % 250))
export CP_SERVERS_CONF="
listen_addresses = '$address'
hba_file = '$dir/hba.conf'
ssl = on
ssl_cert_file = '$dir/cert.pem'
ssl_key_file = '$dir/key.pem'"

# shellcheck disable=SC2016 # for the shell inside
"$with_servers" bash -c 'set -euo pipefail
    psql -qX -v ON_ERROR_STOP=1 -f "$1/cachepusher.sql" -f "$1/schema.sql" >/dev/null 2>&1
    psql -qX -c "insert into customer (name) select i from generate_series(1, 500) i" \
        -c "alter role postgres password '\''secret'\''"
    export CP_DSN="host=$2 port=5432 dbname=cachepusher user=postgres password=secret sslmode=require"
    [[ $(psql -qXAt "$CP_DSN" -c "select ssl from pg_stat_ssl where pid = pg_backend_pid()") == t ]]
    shift 2
    exec "$@"' - "$sql" "$address" "$@"
