# shellcheck shell=bash
# What every stranger shares: checks, starting Holdfast in each of its configurations, comparing bytes. Sourced, not run.
# It must not know any one stranger.
set -uo pipefail

strangers=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${HOLDFAST_BIN:?run this through conformance/run}" "${STRANGERS_CACHE:?}" "${RESULTS:?}" "${STRANGER:?}"
ROW="" VERSION="" LOGIN=""
. "$strangers/programs.sh"
. "$strangers/servers.sh"
. "$strangers/configurations.sh"

# ---- checks ---------------------------------------------------------------------------------------------------------

# row WHAT: the line of the final table that the next checks count for
row() { ROW=$1; }

# version TEXT: which program really ran; printed, and shown in the table
version() { VERSION=$1; echo "version $1"; }

# tally PASSED FAILED SKIPPED: records counts for the row
tally() {
    [[ $2 = 0 ]] || FAILED=yes
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$STRANGER${CONFIGURATION:+ [$CONFIGURATION]}" "$ROW" "$VERSION" "$1" "$2" "$3" \
        >> "$RESULTS"
}

# check TEXT COMMAND...: one check, which passes when the command does
check() {
    local text=$1
    shift
    echo "# $text: $*"
    if "$@"; then
        echo "ok  $text"
        tally 1 0 0
    else
        echo "NOT OK  $text"
        tally 0 1 0
        return 1
    fi
}

# must TEXT COMMAND...: a check without which the rest makes no sense
must() { check "$@" || exit 1; }

# equal A B: same text, and not empty
equal() { [[ -n $1 && $1 == "$2" ]] || { echo "  '$1' is not '$2'"; return 1; }; }

# fails COMMAND...: the command is expected to fail
fails() { ! "$@"; }

# said PATTERN COMMAND...: the command fails, and says why in words that the pattern has: not for another reason
said() {
    local out
    out=$("${@:2}" 2>&1) && { echo "  it worked: $out"; return 1; }
    echo "  $out"
    grep -qiE "$1" <<< "$out"
}

# refused COMMAND...: the command fails because the registry lets nobody do that
refused() { said 'denied|unauthorized|authorization failed|authentication required|forbidden|(incorrect|invalid) username(/| or )password' "$@"; }

# ---- Holdfast -------------------------------------------------------------------------------------------------------

# holdfast DATA [NAME=VALUE...]: without accounts
holdfast() {
    LOGIN=""
    serving "$1" --open "${@:2}"
}

# guarded DATA [NAME=VALUE...]: with accounts, and with TLS if "${TLS[@]}" of `certificates` is among the values. What of
# this file reads from the server does so as $LOGIN, NAME:PASSWORD.
ADMIN_PASSWORD='the canary: grün "9a1c"'
guarded() {
    LOGIN=admin:$ADMIN_PASSWORD
    serving "$1" HOLDFAST_ADMIN_PASSWORD="$ADMIN_PASSWORD" "${@:2}"
}

# admin_ ARGUMENT...: a command of Holdfast through the socket of the server that `guarded` has started. What it changes is
# seen by other replicas within a second.
admin_() {
    "$HOLDFAST_BIN" "$@" --data "$DATA" || return
    [[ $CONFIGURATION != replicas ]] || sleep 1
}

# new_user NAME: makes one, with `password_of NAME`
new_user() { password_of "$1" | admin_ user add "$1" --new-password-stdin; }
password_of() { printf 'password of: %s' "$1"; }

# certificates: makes a certificate for 127.0.0.1 and localhost, and has curl, python and Go programs trust who signed it:
# "${TLS[@]}" for `guarded`, and the authority's certificate as $CA
certificates() {
    "$strangers/../../certs/make.sh" --dir "$WORK/certs" localhost 127.0.0.1 || exit 1
    CA=$WORK/certs/ca.crt
    TLS=(HOLDFAST_SERVER_TLS_CERTIFICATE="$WORK/certs/registry.crt" HOLDFAST_SERVER_TLS_KEY="$WORK/certs/registry.key")
    export CURL_CA_BUNDLE=$CA SSL_CERT_FILE=$CA
}

# ready: waits until /readyz answers 200, at most 60 s
ready() { curl -fsS -o /dev/null --retry 300 --retry-delay 1 --retry-max-time 60 --retry-all-errors "$URL/readyz"; }

# registry2 ROOT: Debian's docker-registry (registry:2) on that storage folder, or on the bucket below a prefix of the same
# name: $URL and $HOST
registry2() {
    local storage="filesystem: {rootdirectory: '$1'}"
    mkdir -p "$1"
    if in_s3; then
        images "$1" && storage="s3: {region: $S3_REGION, regionendpoint: '$S3', bucket: $S3_BUCKET, accesskey: '$S3_KEY',
            secretkey: '$S3_SECRET', secure: false, rootdirectory: '/${1#"$WORK/"}'}"
    fi
    cat > "$WORK/registry2.yml" << YAML
version: 0.1
log: {level: info}
storage: {$storage, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
YAML
    start registry2 'listening on 127\.0\.0\.1:[0-9]+' docker-registry serve "$WORK/registry2.yml" || exit 1
    HOST=${SAID#listening on } URL=http://${SAID#listening on }
}

# docker_engine: a docker engine on a socket of the test's own, without a bridge, firewall rules or a change of the
# kernel's settings; `docker_ ARGUMENTS...` speaks to it
docker_engine() {
    debian docker.io
    printf '{"deprecated-key-path": "%s"}' "$WORK/docker-key.json" > "$WORK/docker.json"
    start_as_root dockerd 'API listen on' dockerd --config-file "$WORK/docker.json" \
        --host "unix://$WORK/docker.sock" --pidfile "$WORK/docker-pid" --data-root "$WORK/docker-data" \
        --exec-root "$WORK/docker-exec" --bridge=none --iptables=false --ip6tables=false \
        --ip-forward=false --ip-masq=false --userland-proxy=false
}
docker_() {
    as_root env DOCKER_BUILDKIT=0 DOCKER_CONFIG="$WORK/docker-config" /usr/bin/docker -H "unix://$WORK/docker.sock" "$@"
}

# containerd_engine: a containerd on a socket of the test's own; `ctr_ ARGUMENTS...` speaks to it
containerd_engine() {
    debian containerd
    cat > "$WORK/containerd.toml" << TOML
version = 2
root = "$WORK/containerd-root"
state = "$WORK/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$WORK/containerd.sock"
[ttrpc]
  address = "$WORK/containerd.sock.ttrpc"
TOML
    start_as_root containerd 'containerd successfully booted' containerd --config "$WORK/containerd.toml"
}
ctr_() { as_root ctr --address "$WORK/containerd.sock" "$@"; }
containerd_version() { ctr_ version | awk '/^Server:/ { server = 1 } server && /Version:/ { print $2 }'; }

# as NAME ARGUMENT...: docker with the credentials that NAME has on this machine
as() { as_root env DOCKER_CONFIG="$WORK/home-$1" /usr/bin/docker -H "unix://$WORK/docker.sock" "${@:2}"; }
# here: the registry at $HOST as docker calls it, which speaks to localhost without TLS
here() { echo "localhost:${HOST##*:}"; }
# login HOME NAME PASSWORD: docker login there
login() { printf '%s' "$3" | as "$1" login "$(here)" --username "$2" --password-stdin; }
# push HOME IMAGE: the image `built` under that name
push() { as "$1" tag built "$(here)/$2" && as "$1" push "$(here)/$2"; }

# ---- bytes ----------------------------------------------------------------------------------------------------------

# layout DIR [TAG]: an OCI layout with the tags `single`, `multi` (two platforms) and `artifact`, or with TAG alone
layout() { python3 "$strangers/layout.py" "$@"; }

# tree WHERE: every manifest and blob below an image, read and hashed: one line `digest size media-type` each
tree() { LOGIN=$LOGIN python3 "$strangers/tree.py" "$@"; }

# value EXPRESSION: reads a JSON document and prints what the Python expression says of it, as `it`
value() { python3 -c "import json, sys; it = json.load(sys.stdin); print($1)"; }

# manifest REPOSITORY/REFERENCE: a manifest's bytes as the registry at $URL gives them
manifest() {
    curl -fsS ${LOGIN:+--user "$LOGIN"} "$URL/v2/${1%/*}/manifests/${1##*/}" \
        -H 'Accept: application/vnd.oci.image.manifest.v1+json' -H 'Accept: application/vnd.oci.image.index.v1+json' \
        -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json'
}

# sha256 < FILE: its digest, as registries write it
sha256() { echo "sha256:$(sha256sum | cut -d' ' -f1)"; }

# same A B: two places hold the same objects, byte for byte
same() {
    tree "$1" > "$WORK/tree.a" && tree "$2" > "$WORK/tree.b" || return 1
    [[ -s $WORK/tree.a ]] && diff "$WORK/tree.a" "$WORK/tree.b" && echo "  $(wc -l < "$WORK/tree.a") objects alike"
}

# layout_has LAYOUT TREE: the layout's folder holds every object that the file TREE (made by `tree`) lists, byte for byte
layout_has() {
    local digest rest
    [[ -s $2 ]] || return 1
    while read -r digest rest; do
        equal "$(sha256 < "$1/blobs/${digest/://}")" "$digest" || { echo "  $rest"; return 1; }
    done < "$2"
}
