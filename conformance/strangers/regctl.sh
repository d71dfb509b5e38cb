# shellcheck shell=bash
# regctl, the client of regclient: copies with referrers, sha512, blobs, tags.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "image copy with referrers, artifacts, blobs, tag ls and delete"

MODULE=github.com/regclient/regclient PINNED=v0.11.7
debian curl
go_program regctl $MODULE $PINNED $MODULE/cmd/regctl
version "regctl $(built_from "$GO_PROGRAM" $MODULE)"
export REGCTL_CONFIG=$WORK/regctl.json
regctl() { "$GO_PROGRAM" "$@"; }
holdfast "$WORK/data"
layout "$WORK/layout"
must "the registry is without TLS" regctl registry set --tls disabled "$HOST"

for tag in single multi artifact; do
    must "push, $tag" regctl image copy "ocidir://$WORK/layout:$tag" "$HOST/reg/app:$tag"
    check "the pushed objects are the layout's, $tag" same "oci:$WORK/layout:$tag" "http://$HOST/reg/app:$tag"
done
must "attach an artifact" regctl artifact put --subject "$HOST/reg/app:multi" --file "$WORK/layout/oci-layout" \
    --artifact-type application/vnd.example.note --file-media-type application/json
# attached IMAGE FIELD: of what hangs on it
attached() { regctl artifact list "$1" --format "{{range .Descriptors}}{{.$2}}{{end}}"; }
check "it is listed" equal "$(attached "$HOST/reg/app:multi" ArtifactType)" application/vnd.example.note
must "copy with referrers" regctl image copy --referrers --digest-tags "$HOST/reg/app:multi" "$HOST/reg/copied:multi"
check "the copy is the same" same "http://$HOST/reg/app:multi" "http://$HOST/reg/copied:multi"
check "the referrer came along" equal "$(attached "$HOST/reg/copied:multi" Digest)" "$(attached "$HOST/reg/app:multi" Digest)"
must "pull into a layout" regctl image copy "$HOST/reg/app:multi" "ocidir://$WORK/pulled:multi"
check "the pulled objects are the layout's" same "oci:$WORK/layout:multi" "oci:$WORK/pulled:multi"

check "repo ls" equal "$(regctl repo ls "$HOST" | sort | tr '\n' ' ')" "reg/app reg/copied "

# `blobs` is a word of the API's paths, and a repository may be called so
head -c 3000000 /dev/urandom > "$WORK/large.bin"
digest=$(regctl blob put "$HOST/reg/blobs" < "$WORK/large.bin")
check "a blob alone" equal "$digest" "$(sha256 < "$WORK/large.bin")"
check "comes back" equal "$(regctl blob get "$HOST/reg/blobs" "$digest" | sha256)" "$digest"
must "a change in a new image" regctl image mod "$HOST/reg/app:single" --create labelled --label made=here
check "its objects hash to their digests" tree "http://$HOST/reg/app:labelled"
must "an image with sha512 digests" regctl image mod "$HOST/reg/app:single" --create strong --digest-algo sha512
digest=$(regctl image digest "$HOST/reg/app:strong")
check "its manifest is named by sha512" equal "${digest%%:*}" sha512
check "its objects hash to their digests" tree "http://$HOST/reg/app@$digest"

check "tag ls" equal "$(regctl tag ls "$HOST/reg/app" | sort | tr '\n' ' ')" "artifact labelled multi single strong "
must "delete of a tag" regctl tag delete "$HOST/reg/app:labelled"
check "the tag alone is gone" equal "$(regctl tag ls "$HOST/reg/app" | sort | tr '\n' ' ')" "artifact multi single strong "
check "the server ends well on SIGTERM" stop holdfast
