# shellcheck shell=bash
# One storage folder or bucket, two registries: what registry:2 took is in Holdfast byte for byte, and the other way round.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MODULE=oras.land/oras PINNED=v1.3.1
debian curl skopeo docker-registry
go_program oras $MODULE $PINNED $MODULE/cmd/oras
ORAS=$GO_PROGRAM
row "registry:2 to Holdfast: docker, skopeo, oras pushed"
must "a docker engine" docker_engine
VERSION="registry:2 $(docker-registry --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+[^ ]*' | head -n 1)"
version "$VERSION"

layout "$WORK/layout"
mkdir "$WORK/context" && head -c 4000000 /dev/urandom > "$WORK/context/large.bin" && echo "a note" > "$WORK/context/note.txt"
printf 'FROM scratch\nCOPY large.bin /large.bin\nCOPY note.txt /note.txt\n' > "$WORK/context/Dockerfile"
must "an image built by docker" docker_ build --network=none -t built "$WORK/context"

id_of() { docker_ image inspect -f '{{.Id}}' "$1"; }
push_built() { docker_ tag built "$1" && docker_ push "$1"; }
skopeo_() { skopeo --insecure-policy copy --all --dest-tls-verify=false "$@"; }
oras_attach() {
    (cd "$WORK/context" && "$ORAS" attach --plain-http --artifact-type application/vnd.example.note "$1" note.txt)
}

# fill WHO: pushes one of each kind to the registry at $HOST; artifacts are attached to two images
fill() {
    local to=$HOST/from/skopeo
    must "docker pushes to $1" push_built "localhost:${HOST##*:}/from/docker:1"
    must "skopeo pushes to $1 as OCI" skopeo_ --preserve-digests "oci:$WORK/layout:multi" "docker://$to/oci:multi"
    must "skopeo pushes one platform to $1" skopeo_ --preserve-digests "oci:$WORK/layout:single" "docker://$to/oci:single"
    must "skopeo pushes to $1 as schema 2" skopeo_ --format v2s2 "oci:$WORK/layout:multi" "docker://$to/v2s2:multi"
    must "oras pushes an artifact to $1" "$ORAS" cp --from-oci-layout --to-plain-http "$WORK/layout:artifact" \
        "$HOST/from/oras:artifact"
    must "oras attaches to it in $1" oras_attach "$HOST/from/oras:artifact"
    must "oras attaches to an image in $1" oras_attach "$to/oci:multi"
}
# attached REPOSITORY:TAG: the digest of what is attached there, as the registry at $HOST tells it
attached() {
    "$ORAS" discover --plain-http --format json "$HOST/$1" | value 'it["referrers"][0]["digest"]'
}
# listing FILE: everything the registry at $HOST has: each tag's objects, and those of what is attached
listing() {
    tree "http://$HOST" > "$1" || return 1
    local image
    for image in from/oras:artifact from/skopeo/oci:multi; do
        tree "http://$HOST/${image%:*}@${ATTACHED[$image]}" | sed "s,^,${image%:*}@ ," >> "$1" || return 1
    done
}
declare -A ATTACHED=()
remember() {
    local image
    for image in from/oras:artifact from/skopeo/oci:multi; do
        ATTACHED[$image]=$(attached $image) && [[ ${ATTACHED[$image]} == sha256:* ]] || return 1
    done
}
# alike FILE FILE: two listings are the same, and long enough to be those of all that `fill` pushes
alike() {
    echo "  $(wc -l < "$1") lines"
    [[ $(wc -l < "$1") -ge 30 ]] && diff "$1" "$2"
}

# rebuild DATA [NAME=VALUE...]: in the configuration; what replicas share is not replaced under their hands: there it is
# dropped, and the next start makes it again
rebuild() {
    settings "$1"
    if in_postgres; then
        sql "$(name_of "$1")" "DROP SCHEMA IF EXISTS holdfast CASCADE"
    else
        env ${SETTINGS[@]+"${SETTINGS[@]}"} "${@:2}" "$HOLDFAST_BIN" rebuild --data "$1"
    fi
}
gone() { fails curl -fsS -o /dev/null "$URL/v2/$1/manifests/$2"; }

# ---- registry:2 -> Holdfast
registry2 "$WORK/theirs"
fill registry:2
must "what is attached is found in registry:2" remember
must "everything in registry:2 hashes to its digest" listing "$WORK/theirs.txt"
stop registry2

images "$WORK/theirs"
THEIRS=("${STORAGE[@]}")
holdfast "$WORK/first-start" "${THEIRS[@]}"
check "Holdfast started on that storage reads it all" listing "$WORK/started.txt"
check "byte for byte the same" alike "$WORK/theirs.txt" "$WORK/started.txt"
for image in from/oras:artifact from/skopeo/oci:multi; do
    check "what hung on a fallback tag is a referrer now ($image)" equal "$(attached $image)" "${ATTACHED[$image]}"
    subject=$("$ORAS" resolve --plain-http "$HOST/$image")
    check "and the referrers API names it ($image)" equal "${ATTACHED[$image]}" \
        "$(curl -fsS "$URL/v2/${image%:*}/referrers/$subject" | value 'it["manifests"][0]["digest"]')"
done
must "docker pulls its image from Holdfast" docker_ pull "localhost:${HOST##*:}/from/docker:1"
check "it is the built one" equal "$(id_of "localhost:${HOST##*:}/from/docker:1")" "$(id_of built)"
check "the server ends well on SIGTERM" stop holdfast

row "registry:2 to Holdfast, rebuilt"
check "rebuild on the stopped storage" rebuild "$WORK/rebuilt" "${THEIRS[@]}"
holdfast "$WORK/rebuilt" "${THEIRS[@]}"
check "Holdfast reads it all" listing "$WORK/rebuilt.txt"
check "byte for byte the same" alike "$WORK/theirs.txt" "$WORK/rebuilt.txt"
check "the server ends well on SIGTERM" stop holdfast

# ---- Holdfast -> registry:2
row "Holdfast to registry:2 and back: docker, skopeo, oras pushed"
holdfast "$WORK/ours"
fill Holdfast
must "what is attached is found in Holdfast" remember
must "everything in Holdfast hashes to its digest" listing "$WORK/ours.txt"
must "a tag that is removed again" skopeo_ --preserve-digests "oci:$WORK/layout:single" "docker://$HOST/from/docker:removed"
check "removed" equal "$(curl -sS -o /dev/null -w '%{http_code}' -X DELETE "$URL/v2/from/docker/manifests/removed")" 202
check "the server ends well on SIGTERM" stop holdfast

registry2 "$WORK/ours/registry"
check "the removed tag is not there" gone from/docker removed
check "registry:2 started on that storage reads it all" listing "$WORK/read.txt"
check "byte for byte the same" alike "$WORK/ours.txt" "$WORK/read.txt"
must "docker pulls its image from registry:2" docker_ pull "localhost:${HOST##*:}/from/docker:1"
must "registry:2 takes another image there" skopeo_ --preserve-digests "oci:$WORK/layout:single" "docker://$HOST/added:late"
stop registry2
check "rebuild after registry:2 wrote" rebuild "$WORK/ours"
holdfast "$WORK/ours"
check "Holdfast has what registry:2 added" same "oci:$WORK/layout:single" "http://$HOST/added:late"
check "and what it had" listing "$WORK/again.txt"
check "byte for byte the same as before" alike "$WORK/ours.txt" <(grep -v '^added:' "$WORK/again.txt")
check "the server ends well on SIGTERM" stop holdfast
