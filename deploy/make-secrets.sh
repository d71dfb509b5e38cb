#!/bin/sh
# make-secrets.sh [DIR]: makes the secrets of deploy/compose-replicas.yaml, each a file of its own in DIR (deploy/secrets,
# unless said otherwise). What is there already stays as it is, so that another run changes nothing.
#
# The folder is open to its owner alone, and that is what keeps the secrets on this machine. The files in it are readable
# because containers see them as they are, one by one, and read them as users of their own.
set -eu
dir=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$dir"
chmod 700 "$dir"

# random BYTES: that many random bytes in hexadecimal, which needs no quotes in a URL, a file or a shell
random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# secret NAME TEXT: written whole or not at all, and never over another
secret() {
    [ -s "$dir/$1" ] && return
    printf '%s' "$2" > "$dir/.$1.new"
    chmod 444 "$dir/.$1.new"
    mv "$dir/.$1.new" "$dir/$1"
}

secret admin-password "$(random 16)"
# The URL has the password in it: with a new one there is a new URL.
[ -s "$dir/postgres-password" ] || rm -f "$dir/postgres-url"
secret postgres-password "$(random 24)"
secret postgres-url "postgres://holdfast:$(cat "$dir/postgres-password")@postgres:5432/holdfast"
secret s3-secret-access-key "$(random 32)"
