# shellcheck shell=bash
# A real slapd as the source of users, with rules on its groups: a plain bind on this machine, StartTLS, TLS.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

debian curl openssl slapd ldap-utils
row "LDAP: slapd"
version "slapd $(dpkg-query -W -f='${Version}' slapd)"

# two ports beside each other, which slapd must be told
read -r PORT < <(python3 -c '
import socket
while True:
    with socket.create_server(("127.0.0.1", 0)) as one:
        try:
            with socket.create_server(("127.0.0.1", one.getsockname()[1] + 1)), \
                    socket.create_server(("127.0.0.2", one.getsockname()[1] + 1)):
                print(one.getsockname()[1])
                break
        except OSError:
            pass')
slapd_up() { [[ -e /proc/$(cat "$WORK/ldap/slapd.pid" 2> /dev/null || echo none) ]]; }
slapd_stop() {
    local pid tries
    pid=$(cat "$WORK/ldap/slapd.pid" 2> /dev/null) || return 0
    kill "$pid"
    for ((tries = 0; tries < 100; tries++)); do [[ -e /proc/$pid ]] || return 0; sleep 0.1; done
    return 1
}
trap 'code=$?; slapd_stop; (exit $code); leave' EXIT
must "slapd runs" bash "$strangers/ldap/start.sh" "$WORK/ldap" "$PORT"
must "slapd stays" slapd_up

cat > "$WORK/rules.toml" << 'TOML'
[[acl]]
match = { group = "developers", name = "team/**" }
actions = ["pull", "push"]

[[acl]]
match = { labels = { title = "Chief Engineer" }, name = "plans/*" }
actions = ["pull"]

[[acl]]
match = { account = "bob", name = "${account}/*" }
actions = ["*"]

[auth.ldap]
bind_dn = "cn=holdfast,dc=example,dc=com"
base = "dc=example,dc=com"
group_base = "ou=groups,dc=example,dc=com"
timeout_secs = 2

[auth.ldap.labels]
title = { attribute = "title" }
TOML
# with WHAT [NAME=VALUE...]: Holdfast with the directory reached in that way
with() {
    guarded "$WORK/data" HOLDFAST_CONFIG="$WORK/rules.toml" HOLDFAST_AUTH_LDAP_BIND_PASSWORD=service-secret \
        HOLDFAST_AUTH_PASSWORDS_REMEMBER_SECS=0 "$@"
}
# status NAME:PASSWORD PATH [FLAG...]
status() { curl -sS -o "$WORK/said" -w '%{http_code}' ${1:+--user "$1"} "${@:3}" "$URL$2"; }
# may NAME:PASSWORD SCOPE: what of it the token gives
may() { curl -fsS --user "$1" "$URL/token?scope=$2" | value 'it["scope"] or "nothing"'; }
AMY='amy:amy:pä ss' BOB=bob:bob-secret

# logins WHAT: all that does not depend on how the directory is reached
logins() {
    check "bob logs in ($1)" equal "$(status $BOB /v2/)" 200
    check "by the group's rule bob pulls and pushes ($1)" equal "$(may $BOB repository:team/app:pull,push,delete)" \
        "repository:team/app:pull,push"
    check "by his name all of his own ($1)" equal "$(may $BOB repository:bob/x:pull,push,delete)" "repository:bob/x:pull,push,delete"
    check "and nothing else ($1)" equal "$(may $BOB repository:plans/x:pull)" nothing
    check "amy's password holds a colon and more ($1)" equal "$(may "$AMY" repository:team/app:pull)" "repository:team/app:pull"
    check "a label opens ($1)" equal "$(may "$AMY" repository:plans/x:pull,push)" "repository:plans/x:pull"
    check "a DN with everything that is escaped ($1)" equal "$(may odd:odd-secret repository:team/app:push)" \
        "repository:team/app:push"
    for wrong in bob:wrong bob: "amy:amy" nobody:bob-secret '*:bob-secret' 'b*:bob-secret' twin:twin-secret nopass: nopass:x \
        holdfast:service-secret ':' ':bob-secret'; do
        check "$wrong is refused ($1)" equal "$(status "$wrong" /token) $(status "$wrong" /v2/)" "401 401"
    done
    check "our own administrator comes in all the same ($1)" equal "$(status "admin:$ADMIN_PASSWORD" /v2/)" 200
    push "$1"
}
# bob really pushes and pulls with Basic: a blob
push() {
    printf 'of bob by %s' "$1" > "$WORK/blob"
    local digest
    digest=$(sha256 < "$WORK/blob")
    check "bob pushes a blob ($1)" equal \
        "$(status $BOB "/v2/team/app/blobs/uploads/?digest=$digest" --data-binary "@$WORK/blob")" 201
    check "amy gets it ($1)" equal "$(curl -fsS --user "$AMY" "$URL/v2/team/app/blobs/$digest" | sha256)" "$digest"
    check "nobody else does ($1)" equal "$(status "" "/v2/team/app/blobs/$digest")" 401
    check "nor where no rule lets bob ($1)" equal \
        "$(status $BOB "/v2/plans/app/blobs/uploads/?digest=$digest" --data-binary "@$WORK/blob")" 403
}

row "LDAP: plain bind on the loopback address"
with HOLDFAST_AUTH_LDAP_URL="ldap://127.0.0.1:$PORT"
logins plain
check "nobody is an administrator" equal "$(status "$AMY" /api/v1/users)" 403
check "the server ends well on SIGTERM" stop holdfast
with HOLDFAST_AUTH_LDAP_URL="ldap://127.0.0.1:$PORT" HOLDFAST_AUTH_LDAP_ADMIN_GROUP=Admins
check "who is in the group of administrators is one" equal "$(status "$AMY" /api/v1/users)" 200
check "others are not" equal "$(status $BOB /api/v1/users)" 403
refresh=$(curl -fsS --user $BOB "$URL/token?offline_token=true&client_id=docker" | value 'it["refresh_token"]')
again() { curl -sS -o "$WORK/said" -w '%{http_code}' --data "grant_type=refresh_token&service=holdfast&client_id=docker" \
    --data-urlencode "refresh_token=$refresh" --data 'scope=repository:team/app:pull' "$URL/token"; }
given() { equal "$(again) $(value 'it.get("scope")' < "$WORK/said")" "$1"; }
check "docker login's token works" given "200 repository:team/app:pull"
check "the audit trail knows bob" grep -q bob <(admin_ events)

row "LDAP: what changes in the directory"
change() { ldapmodify -x -H "ldap://127.0.0.1:$PORT" -D "cn=root,dc=example,dc=com" -w root-secret > "$WORK/ldapmodify.log" 2>&1; }
must "bob leaves the group" change << 'LDIF'
dn: cn=developers,ou=groups,dc=example,dc=com
changetype: modify
delete: member
member: uid=bob,ou=people,dc=example,dc=com
LDIF
check "the next login gives him nothing there" equal "$(may $BOB repository:team/app:pull,push)" nothing
# the directory is not asked again at once for every use of a token
check "nor does docker login's token" within 45 given "200 "
must "bob is removed" change << 'LDIF'
dn: uid=bob,ou=people,dc=example,dc=com
changetype: delete
LDIF
check "he does not log in" equal "$(status $BOB /token)" 401
check "nor does docker login's token" within 45 given "401 None"

row "LDAP: the directory is down"
must "slapd ends" slapd_stop
check "a login is 503, not 401" equal "$(status "$AMY" /token) $(status "$AMY" /v2/)" "503 503"
check "which says so in words" grep -q 'source of users could not be reached' "$WORK/said"
check "an unknown name too" equal "$(status nobody:wrong /token)" 503
check "our own administrator comes in all the same" equal "$(status "admin:$ADMIN_PASSWORD" /v2/)" 200
check "the server ends well on SIGTERM" stop holdfast
check "no password is in the log" fails grep -aqE 'bob-secret|pä ss|service-secret|odd-secret' "$WORK/holdfast.log"

rm -rf "$WORK/ldap"
must "slapd runs again" bash "$strangers/ldap/start.sh" "$WORK/ldap" "$PORT"
row "LDAP: StartTLS"
with HOLDFAST_AUTH_LDAP_URL="ldap://127.0.0.1:$PORT" HOLDFAST_AUTH_LDAP_START_TLS=true \
    HOLDFAST_AUTH_LDAP_CA_CERTIFICATE="$WORK/ldap/ca.crt"
logins StartTLS
check "the server ends well on SIGTERM" stop holdfast
row "LDAP: TLS"
with HOLDFAST_AUTH_LDAP_URL="ldaps://127.0.0.1:$((PORT + 1))" HOLDFAST_AUTH_LDAP_CA_CERTIFICATE="$WORK/ldap/ca.crt"
logins TLS
check "the server ends well on SIGTERM" stop holdfast
with HOLDFAST_AUTH_LDAP_URL="ldaps://127.0.0.2:$((PORT + 1))" HOLDFAST_AUTH_LDAP_CA_CERTIFICATE="$WORK/ldap/ca.crt"
check "a directory under another name than its certificate has is told nothing" equal "$(status $BOB /token)" 503
check "the server ends well on SIGTERM" stop holdfast
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=another" -keyout "$WORK/other.key" \
    -out "$WORK/other.crt" 2> "$WORK/openssl.log"
with HOLDFAST_AUTH_LDAP_URL="ldap://127.0.0.1:$PORT" HOLDFAST_AUTH_LDAP_START_TLS=true \
    HOLDFAST_AUTH_LDAP_CA_CERTIFICATE="$WORK/other.crt"
check "nor is one that another authority vouches for" equal "$(status $BOB /token)" 503
check "the server ends well on SIGTERM" stop holdfast
check "slapd ends" slapd_stop
