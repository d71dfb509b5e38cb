#!/usr/bin/env bash
# start.sh DIR PORT: makes certificates and a directory of a few users in DIR, which must not exist, and starts slapd on
# 127.0.0.1:PORT (plain and StartTLS) and 127.0.0.1:PORT+1 and 127.0.0.2:PORT+1 (TLS; the second under a name that the
# certificate does not have). Its process id is in DIR/slapd.pid, the certificate to trust in DIR/ca.crt.
# Needs slapd, ldap-utils, openssl.
set -euo pipefail

dir=$1 port=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$dir/db"
dir=$(cd "$dir" && pwd)
cd "$dir"

{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=Test CA" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" -keyout ca.key -out ca.crt
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
        -keyout server.key -out server.csr
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' > server.ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.crt
} 2> openssl.log || { cat openssl.log >&2; exit 1; }

sed "s|@DIR@|$dir|g" "$here/slapd.conf.in" > slapd.conf
slapd -f slapd.conf -h "ldap://127.0.0.1:$port ldaps://127.0.0.1:$((port + 1)) ldaps://127.0.0.2:$((port + 1))"

# Through the server, not slapadd: only so does the overlay write `memberOf`.
for _ in $(seq 50); do
    ldapwhoami -x -H "ldap://127.0.0.1:$port" > /dev/null 2>&1 && break
    sleep 0.1
done
ldapadd -x -H "ldap://127.0.0.1:$port" -D "cn=root,dc=example,dc=com" -w root-secret -f "$here/users.ldif" > ldapadd.log 2>&1 \
    || { cat ldapadd.log >&2; exit 1; }
