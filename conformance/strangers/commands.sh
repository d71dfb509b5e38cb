# shellcheck shell=bash
# The commands `ls`, `inspect` and `rm` against the real registry:2, open and with passwords: what they do anywhere.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

debian curl skopeo docker-registry apache2-utils openssl
row "ls, inspect, rm against an open registry:2"
version "registry:2 $(docker-registry --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+[^ ]*' | head -n 1)"
export DOCKER_CONFIG=$WORK/docker
mkdir -p "$DOCKER_CONFIG"

layout "$WORK/layout"
registry2 "$WORK/data"
push() { skopeo --insecure-policy copy -q --all --dest-tls-verify=false "$@"; }
must "an index is pushed" push --preserve-digests "oci:$WORK/layout:multi" "docker://$HOST/team/app:1"
must "under a second tag" push --preserve-digests "oci:$WORK/layout:multi" "docker://$HOST/team/app:latest"
must "an image is pushed" push --preserve-digests "oci:$WORK/layout:single" "docker://$HOST/team/app:single"
must "an image of schema 2 is pushed" push --format v2s2 "oci:$WORK/layout:single" "docker://$HOST/schema2:1"

# told COMMAND...: what Holdfast prints about the registry at $HOST
told() { "$HOLDFAST_BIN" "$1" --server "http://$HOST" "${@:2}"; }
digest() { manifest "$1" | sha256; }

check "the repositories" equal "$(told ls)" "schema2
team/app"
check "page by page" equal "$(told ls --page-size 1)" "$(told ls)"
check "the tags, sorted" equal "$(told ls team/app --sort name)" "1
latest
single"
check "a repository that is not there fails" fails told ls team/none
check "the digests of the tags" equal "$(told ls team/app -l1 --sort name --json | value '" ".join(t["digest"] for t in it["tags"])')" \
    "$(digest team/app/1) $(digest team/app/latest) $(digest team/app/single)"
check "their kinds" equal "$(told ls team/app -l1 --sort name --json | value '" ".join(t["kind"] for t in it["tags"])')" \
    "index index image"
check "the bytes of an index" equal "$(told inspect team/app:1 --raw | sha256)" "$(digest team/app/1)"
check "an image of schema 2" equal "$(told inspect schema2:1 --json | value 'it["digest"], it["kind"]')" \
    "$(digest schema2/1) image"
check "an image of an index" equal "$(told inspect team/app:1 --platform linux/arm64 --json | value 'it["platforms"]')" "['linux/arm64']"
check "its configuration's bytes" equal "$(told inspect team/app:1 --platform linux/arm64 --raw-config | sha256)" \
    "$(told inspect team/app:1 --platform linux/arm64 --json | value 'it["config"]["digest"]')"
check "one tag alone, which registry:2.8 cannot remove, is not removed" fails told rm team/app:latest --yes
check "and nothing went" equal "$(told ls team/app | wc -l)" 3
check "a dry run removes nothing" told rm "team/app@$(digest team/app/1)" --dry-run
check "it did not" equal "$(told ls team/app | wc -l)" 3
check "a manifest goes with its tags" equal "$(told rm "team/app@$(digest team/app/1)" --yes | grep -o 'its 2 tags .*')" \
    "its 2 tags 1, latest"
check "and no other" equal "$(told ls team/app)" "single"
stop registry2

row "ls with a password against registry:2, over TLS"
htpasswd -Bbn -C 4 ana 'pa:ss wörd' > "$WORK/htpasswd"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=holdfast test" \
    -keyout "$WORK/key.pem" -out "$WORK/ca.pem" -addext subjectAltName=IP:127.0.0.1 2> /dev/null
cat > "$WORK/closed.yml" << YAML
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: "$WORK/data"}}
http: {addr: "127.0.0.1:0", tls: {certificate: "$WORK/ca.pem", key: "$WORK/key.pem"}}
auth: {htpasswd: {realm: x, path: "$WORK/htpasswd"}}
YAML
start registry2 'listening on 127\.0\.0\.1:[0-9]+' docker-registry serve "$WORK/closed.yml" || exit 1
HOST=${SAID#listening on }
ls_() { "$HOLDFAST_BIN" ls "$HOST/team/app" "$@"; }
check "nobody is let in" fails ls_ --ca "$WORK/ca.pem"
check "with the password typed in" equal "$(ls_ --ca "$WORK/ca.pem" --user ana --password-stdin <<< 'pa:ss wörd')" single
check "not with another" fails ls_ --ca "$WORK/ca.pem" --user ana --password-stdin <<< 'pa'
printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(printf 'ana:pa:ss wörd' | base64)" > "$DOCKER_CONFIG/config.json"
check "with the one that docker keeps" equal "$(ls_ --ca "$WORK/ca.pem")" single
check "not under a certificate that nobody vouches for" fails ls_
check "unless that is wanted" equal "$(ls_ --insecure)" single
