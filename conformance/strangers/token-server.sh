# shellcheck shell=bash
# Holdfast as the token server of a real registry:2, with both ways in which that one recognises keys: a team moves one
# half at a time.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

debian curl openssl skopeo docker-registry
row "token server of registry:2"
version "registry:2 $(docker-registry --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+[^ ]*' | head -n 1)"
must "a docker engine" docker_engine
layout "$WORK/layout"

quietly() { "$@" > "$WORK/openssl.log" 2>&1 || { cat "$WORK/openssl.log" >&2; exit 1; }; }
mkdir "$WORK/keys" && cd "$WORK/keys" || exit 1
# what registry:2 trusts is the certificate itself, or one that it leads to
quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=token signer" \
    -keyout libtrust.key -out libtrust.crt
cp libtrust.crt libtrust-trusted.crt
quietly openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=the root" -keyout root.key -out x5c-trusted.crt
quietly openssl req -newkey rsa:2048 -nodes -subj "/CN=token signer" -keyout x5c.key -out x5c.csr
quietly openssl x509 -req -in x5c.csr -CA x5c-trusted.crt -CAkey root.key -CAcreateserial -days 2 \
    -extfile <(echo "keyUsage=critical,digitalSignature") -out x5c.crt
quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=somebody else" \
    -keyout foreign.key -out foreign.crt
cd "$WORK" || exit 1

# tokens KEY-ID KEY: Holdfast on the same data with this key: $TOKENS
tokens() {
    guarded "$WORK/data" HOLDFAST_AUTH_OTHER_SERVICES=other HOLDFAST_AUTH_ISSUER="Acme auth server" \
        HOLDFAST_AUTH_SIGNING_KEY="$WORK/keys/$2.key" HOLDFAST_AUTH_SIGNING_CERTIFICATE="$WORK/keys/$2.crt" \
        HOLDFAST_AUTH_SIGNING_KEY_ID="$1"
    TOKENS=$URL
}
# other BUNDLE: the registry:2 that trusts it: $HOST
other() {
    cat > "$WORK/other.yml" << YAML
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: "$WORK/other-$1"}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
auth:
  token: {realm: "$TOKENS/token", service: other, issuer: Acme auth server, rootcertbundle: "$WORK/keys/$1-trusted.crt"}
YAML
    start registry2 'listening on 127\.0\.0\.1:[0-9]+' docker-registry serve "$WORK/other.yml" || exit 1
    HOST=${SAID#listening on } URL=http://${SAID#listening on }
}
skopeo_() { skopeo --insecure-policy "$@"; }
copy() { skopeo_ copy -q --all --preserve-digests "$@"; }
header() { cut -d. -f1 | tr '_-' '/+' | base64 -d 2> /dev/null; }

mkdir "$WORK/context" && head -c 300000 /dev/urandom > "$WORK/context/some.bin"
printf 'FROM scratch\nCOPY some.bin /\n' > "$WORK/context/Dockerfile"
must "an image" docker_ build --network=none -t built "$WORK/context"

for kind in libtrust x5c; do
    row "token server of registry:2, by $kind: docker and skopeo"
    tokens $kind $kind
    if [[ $kind == libtrust ]]; then
        new_user writer && new_user reader
        admin_ grant add user:writer 'team/**' pull,push
        admin_ grant add user:reader '**' pull
        admin_ grant add anonymous 'hello-world' pull
    fi
    asked="service=other&scope=repository:team/app:pull,push"
    token=$(curl -fsS -u "writer:$(password_of writer)" "$TOKENS/token?$asked" | value 'it["token"]')
    check "the token names its key so ($kind)" equal \
        "$(header <<< "$token" | value '",".join(sorted(k for k in it if k in ("kid", "x5c")))')" \
        "$([[ $kind == x5c ]] && echo x5c || echo kid)"
    other $kind

    for name in writer reader admin; do
        password=$([[ $name == admin ]] && echo "$ADMIN_PASSWORD" || password_of $name)
        must "$name logs in ($kind)" login $name $name "$password"
    done
    check "another password is refused ($kind)" refused login wrong writer "$(password_of reader)"
    check "writer pushes ($kind)" push writer team/app:1
    check "writer pulls ($kind)" as writer pull "$(here)/team/app:1"
    check "and pushes nowhere else ($kind)" refused push writer other/app:1
    check "nor pulls ($kind)" refused as writer pull "$(here)/other/app:1"
    check "reader pulls ($kind)" as reader pull "$(here)/team/app:1"
    check "and pushes nothing ($kind)" refused push reader team/app:2
    check "admin pushes everywhere ($kind)" push admin hello-world:1
    check "without a login hello-world is pulled ($kind)" as anonymous pull "$(here)/hello-world:1"
    check "and nothing else ($kind)" refused as anonymous pull "$(here)/team/app:1"
    check "nor is it pushed ($kind)" refused push anonymous hello-world:2

    writer=(--dest-tls-verify=false --dest-creds "writer:$(password_of writer)")
    check "skopeo pushes an index ($kind)" copy "${writer[@]}" "oci:$WORK/layout:multi" "docker://$HOST/team/app:multi"
    check "skopeo pulls it ($kind)" copy --src-tls-verify=false --src-creds "reader:$(password_of reader)" \
        "docker://$HOST/team/app:multi" "oci:$WORK/pulled-$kind:multi"
    check "the pulled is the pushed ($kind)" same "oci:$WORK/layout:multi" "oci:$WORK/pulled-$kind:multi"
    delete() { skopeo_ delete --tls-verify=false --creds "$1" "docker://$HOST/team/app:multi"; }
    check "writer deletes nothing ($kind)" refused delete "writer:$(password_of writer)"
    check "admin deletes ($kind)" delete "admin:$ADMIN_PASSWORD"
    catalog() { "$HOLDFAST_BIN" ls --server "$URL" --allow-realm 127.0.0.1 --user "$1" --password-stdin <<< "$2"; }
    check "admin lists the repositories ($kind)" equal "$(catalog admin "$ADMIN_PASSWORD" | tr '\n' ' ')" "hello-world team/app "
    check "writer does not ($kind)" said "did not let us in" catalog writer "$(password_of writer)"

    # tokens that registry:2 must not take, or the checks above prove nothing
    status() { curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" "$URL/v2/team/app/manifests/1"; }
    check "its token opens ($kind)" equal "$(status "$token")" 200
    own=$(curl -fsS -u "writer:$(password_of writer)" "$TOKENS/token?service=holdfast&scope=repository:team/app:pull" \
        | value 'it["token"]')
    check "a token for Holdfast itself does not ($kind)" equal "$(status "$own")" 401
    check "and Holdfast takes none of the other's ($kind)" equal \
        "$(curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" "$TOKENS/v2/team/app/manifests/1")" 401
    check "no token is given for a third ($kind)" equal \
        "$(curl -sS -o /dev/null -w '%{http_code}' -u "admin:$ADMIN_PASSWORD" "$TOKENS/token?service=third")" 400
    stop holdfast
    tokens $kind foreign
    foreign=$(curl -fsS -u "writer:$(password_of writer)" "$TOKENS/token?$asked" | value 'it["token"]')
    HOST=$(sed -n 's,.*listening on \(127[0-9.:]*\).*,\1,p' "$WORK/registry2.log" | head -n 1) URL=http://$HOST
    check "nor does one by a key that it does not know ($kind)" equal "$(status "$foreign")" 401
    check "Holdfast ends well on SIGTERM ($kind)" stop holdfast
    stop registry2 || true # it ends by the signal itself, and says so
done
