# shellcheck shell=bash
# oras: artifacts, what is attached to them, and what finds it.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "push, attach, discover, pull, copy -r of artifacts"

MODULE=oras.land/oras PINNED=v1.3.1
debian curl
go_program oras $MODULE $PINNED $MODULE/cmd/oras
version "oras $(built_from "$GO_PROGRAM" $MODULE)"
oras() { "$GO_PROGRAM" "$@"; }
holdfast "$WORK/data"
mkdir "$WORK/files" "$WORK/pulled"
cd "$WORK/files" || exit 1
head -c 6000000 /dev/urandom > model.bin
echo "notes" > notes.txt && echo '{"spdx": 1}' > sbom.json && echo "signed" > signature.txt

must "push of two files" oras push --plain-http "$HOST/or/model:1" --artifact-type application/vnd.example.model \
    model.bin notes.txt:text/plain
check "its objects hash to their digests" tree "http://$HOST/or/model:1"
must "pull" oras pull --plain-http "$HOST/or/model:1" -o "$WORK/pulled"
check "the pulled files are the pushed ones" diff -r --exclude sbom.json --exclude signature.txt "$WORK/files" "$WORK/pulled"

SBOM=application/spdx+json SIGNATURE=application/vnd.example.signature
must "attach of a bill of materials" oras attach --plain-http "$HOST/or/model:1" --artifact-type $SBOM sbom.json
must "attach of a signature" oras attach --plain-http "$HOST/or/model:1" --artifact-type $SIGNATURE signature.txt
# found KEY [ARTIFACT-TYPE]: what oras finds attached, by the referrers API and not by its fallback tag
found() {
    oras discover --plain-http --distribution-spec v1.1-referrers-api --format json ${2:+--artifact-type "$2"} \
        "$HOST/or/model:1" | value "*sorted(each['$1'] for each in it['referrers'])"
}
check "discover finds both" equal "$(found artifactType)" "$SBOM $SIGNATURE"
check "discover by type finds one" equal "$(found artifactType $SBOM)" $SBOM
check "no fallback tag was needed" equal "$(oras repo tags --plain-http "$HOST/or/model")" 1
sbom=$(found digest $SBOM)
must "pull of what is attached" oras pull --plain-http "$HOST/or/model@$sbom" -o "$WORK/attached"
check "its bytes" cmp sbom.json "$WORK/attached/sbom.json"

must "copy with what is attached" oras cp -r --from-plain-http --to-plain-http "$HOST/or/model:1" "$HOST/or/copied:1"
check "the copy is the same" same "http://$HOST/or/model:1" "http://$HOST/or/copied:1"
check "what is attached came along" same "http://$HOST/or/model@$sbom" "http://$HOST/or/copied@$sbom"
must "copy to a layout" oras cp --from-plain-http --to-oci-layout "$HOST/or/model:1" "$WORK/layout:1"
check "the layout is the same" same "http://$HOST/or/model:1" "oci:$WORK/layout:1"

must "delete of an attached artifact" oras manifest delete --plain-http --force "$HOST/or/model@$sbom"
check "discover finds the other alone" equal "$(found artifactType)" $SIGNATURE
# `blobs` is a word of the API's paths, and a repository may be called so
digest=$(sha256 < notes.txt)
check "a blob alone" oras blob push --plain-http "$HOST/or/blobs@$digest" notes.txt
check "comes back" equal "$(oras blob fetch --plain-http --output - "$HOST/or/blobs@$digest")" notes
check "the server ends well on SIGTERM" stop holdfast
