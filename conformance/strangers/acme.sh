# shellcheck shell=bash
# pebble, the ACME server of Let's Encrypt's own tests: certificates by both challenges, kept, renewed, refused.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "ACME: tls-alpn-01, http-01, restart, renewal, refusal, a forgotten account"

MODULE=github.com/letsencrypt/pebble/v2 PINNED=v2.10.1
debian curl openssl python3
go_program pebble-challtestsrv $MODULE $PINNED $MODULE/cmd/pebble-challtestsrv
DNS=$GO_PROGRAM
go_program pebble $MODULE $PINNED $MODULE/cmd/pebble
PEBBLE=$GO_PROGRAM
version "pebble $(built_from "$PEBBLE" $MODULE)"

# pebble must be told our ports before we listen on them, so none of them can be left to the system
read -r DIRECTORY_PORT ROOTS_PORT TLS_PORT HTTP_PORT DNS_PORT OTHER_PORT DNS_CONTROL_PORT < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(7)]
print(*(each.getsockname()[1] for each in held))')
DIRECTORY=https://127.0.0.1:$DIRECTORY_PORT/dir

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=the CA of pebble's port" \
    -keyout "$WORK/ca.key" -out "$WORK/ca.pem" 2> "$WORK/openssl.log" || exit 1
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=pebble" \
    -keyout "$WORK/pebble.key" -out "$WORK/pebble.csr" 2>> "$WORK/openssl.log" || exit 1
openssl x509 -req -in "$WORK/pebble.csr" -CA "$WORK/ca.pem" -CAkey "$WORK/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost") -out "$WORK/pebble.pem" 2>> "$WORK/openssl.log" || exit 1
# certificates of 45 seconds: renewed after 30
cat > "$WORK/pebble.json" << JSON
{"pebble": {"listenAddress": "127.0.0.1:$DIRECTORY_PORT", "managementListenAddress": "127.0.0.1:$ROOTS_PORT",
  "certificate": "$WORK/pebble.pem", "privateKey": "$WORK/pebble.key", "httpPort": $HTTP_PORT, "tlsPort": $TLS_PORT,
  "retryAfter": {"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
  "profiles": {"default": {"description": "short", "validityPeriod": 45}}}}
JSON

# pebble really looks at our answers (PEBBLE_VA_ALWAYS_VALID is not set), and refuses one nonce in twenty
pebble() {
    start pebble 'ACME directory available' env PEBBLE_VA_NOSLEEP=1 \
        "$PEBBLE" -config "$WORK/pebble.json" -dnsserver "127.0.0.1:$DNS_PORT" || exit 1
    for ((tries = 0; tries < 100; tries++)); do
        curl -fsS --cacert "$WORK/ca.pem" "https://127.0.0.1:$ROOTS_PORT/roots/0" -o "$WORK/roots.pem" && return
        sleep 0.1
    done
    echo "pebble has no root" >&2
    exit 1
}

# acme DATA PORT [NAME=VALUE...]: Holdfast with a certificate from pebble
acme() {
    start holdfast 'listening on https://127\.0\.0\.1:[0-9]+' env \
        HOLDFAST_SERVER_ACME_DOMAINS=one.holdfast.test,two.holdfast.test HOLDFAST_SERVER_ACME_ACCEPT_TERMS=true \
        HOLDFAST_SERVER_ACME_EMAIL=admin@holdfast.test HOLDFAST_SERVER_ACME_DIRECTORY="$DIRECTORY" \
        HOLDFAST_SERVER_ACME_CA_CERTIFICATE="$WORK/ca.pem" "${@:3}" \
        "$HOLDFAST_BIN" serve --open --data "$1" --listen "127.0.0.1:$2" || exit 1
}
# ask NAME ARGUMENT...: of the server on $PORT, which must show one of pebble's certificates for NAME
PORT=$TLS_PORT
ask() {
    curl -fsS --cacert "$WORK/roots.pem" --resolve "$1:$PORT:127.0.0.1" "${@:2}" "https://$1:$PORT/v2/" 2>&1
}
# serial: of the certificate that is shown now
serial() {
    openssl s_client -connect "127.0.0.1:$TLS_PORT" -servername one.holdfast.test < /dev/null 2> /dev/null \
        | openssl x509 -noout -serial
}
issued() { grep -c 'Issued certificate serial' "$WORK/pebble.log"; }
another_than() { [[ -n $(serial) && $(serial) != "$1" ]]; }
logged() { grep -aq "$1" "$WORK/holdfast.log"; }
mode() { stat -c %a "$@" | sort -u | tr '\n' ' '; }

start dns 'Starting management server' "$DNS" -defaultIPv4 127.0.0.1 -defaultIPv6 "" -http01 "" -https01 "" \
    -tlsalpn01 "" -doh "" -dnsserver "127.0.0.1:$DNS_PORT" -management "127.0.0.1:$DNS_CONTROL_PORT" || exit 1

# nobody at the directory yet
acme "$WORK/data" "$TLS_PORT"
check "without an ACME server it serves all the same" \
    curl -fsSk "https://127.0.0.1:$TLS_PORT/readyz" -o /dev/null
check "it says that it will try again" within 20 logged 'no new certificate from the ACME server'
check "it ends well on SIGTERM" stop holdfast

pebble
acme "$WORK/data" "$TLS_PORT"
# nobody listens where pebble would look for http-01
must "tls-alpn-01: a certificate that pebble's root verifies" within 40 ask one.holdfast.test
check "for the second name too" ask two.holdfast.test
check "and for no other" fails ask three.holdfast.test
check "HTTP/2 is spoken" equal "$(ask one.holdfast.test -o /dev/null -w '%{http_version}')" 2
check "account and certificate are the owner's alone" equal "$(mode "$WORK"/data/acme/*)" "600 "
check "and so is their folder" equal "$(mode "$WORK/data/acme")" "700 "
check "a challenge protocol without a challenge gets nothing" fails openssl s_client -alpn acme-tls/1 \
    -servername one.holdfast.test -connect "127.0.0.1:$TLS_PORT" -verify_return_error -CAfile "$WORK/roots.pem"

before=$(serial) count=$(issued)
check "it ends well on SIGTERM" stop holdfast
acme "$WORK/data" "$TLS_PORT"
check "a restart shows the same certificate" equal "$(serial)" "$before"
check "and orders none" equal "$(issued)" "$count"
check "it is renewed in time" within 60 another_than "$before"
check "by one that verifies" ask one.holdfast.test
kill -HUP "${PIDS[holdfast]}"
check "SIGHUP is heard" within 10 logged SIGHUP
check "and ends nothing" ask one.holdfast.test
check "no key is in the log" fails grep -aq 'PRIVATE KEY' "$WORK/holdfast.log"
check "it ends well on SIGTERM" stop holdfast

# a pebble that has forgotten everybody, with another root
stop pebble
pebble
rm "$WORK"/data/acme/certificate-*
acme "$WORK/data" "$TLS_PORT"
check "an account that the server forgot is made anew" within 40 ask one.holdfast.test
check "and that is told" logged 'does not know our account'
check "it ends well on SIGTERM" stop holdfast

# nobody listens where pebble would look for tls-alpn-01
acme "$WORK/http" "$OTHER_PORT" HOLDFAST_SERVER_ACME_HTTP_LISTEN="127.0.0.1:$HTTP_PORT"
PORT=$OTHER_PORT
must "http-01: a certificate that verifies" within 40 ask one.holdfast.test
check "the plain port sends everything else to https" equal \
    "$(curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' -H 'Host: two.holdfast.test' "http://127.0.0.1:$HTTP_PORT/v2/?n=1")" \
    "308 https://two.holdfast.test/v2/?n=1"
check "and answers no challenge that is not open" equal \
    "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$HTTP_PORT/.well-known/acme-challenge/x")" 404
check "it ends well on SIGTERM" stop holdfast

# pebble looks at a port where nobody is
acme "$WORK/elsewhere" "$OTHER_PORT"
check "answers that cannot be seen are told of, with what the server says" within 40 logged 'did not accept our answers'
check "and it serves all the same" curl -fsSk "https://127.0.0.1:$OTHER_PORT/v2/" -o /dev/null
check "it ends well on SIGTERM" stop holdfast
