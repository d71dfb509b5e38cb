# shellcheck shell=bash
# skopeo copies a multi-platform image in and out, as OCI and as Docker schema 2.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "copy --all of a multi-platform image, both formats"

debian curl skopeo
version "$(skopeo --version | sed 's/ version//')"
holdfast "$WORK/data"
layout "$WORK/layout"
copy() { skopeo --insecure-policy copy --all --src-tls-verify=false --dest-tls-verify=false "$@"; }

must "push as it is" copy --preserve-digests "oci:$WORK/layout:multi" "docker://$HOST/sk/oci:multi"
check "the pushed objects are those of the layout" same "oci:$WORK/layout:multi" "http://$HOST/sk/oci:multi"
must "pull into a layout" copy --preserve-digests "docker://$HOST/sk/oci:multi" "oci:$WORK/pulled:multi"
check "the pulled objects are those of the layout" same "oci:$WORK/layout:multi" "oci:$WORK/pulled:multi"
must "push of one platform" copy --preserve-digests "oci:$WORK/layout:single" "docker://$HOST/sk/oci:single"
check "its objects are those of the layout" same "oci:$WORK/layout:single" "http://$HOST/sk/oci:single"

for format in oci v2s2; do
    made=$HOST/sk/$format-made:multi
    must "push, format $format" copy --format $format "oci:$WORK/layout:multi" "docker://$made"
    must "pull, format $format" copy --preserve-digests "docker://$made" "dir:$WORK/dir-$format"
    check "pulled is pushed, format $format" same "http://$made" "dir:$WORK/dir-$format"
    again=$HOST/sk/$format-again:multi across=$HOST/sk/$format-across:multi
    must "push of the pulled, format $format" copy --preserve-digests "dir:$WORK/dir-$format" "docker://$again"
    check "there and back is the same, format $format" same "dir:$WORK/dir-$format" "http://$again"
    must "copy inside the registry, format $format" copy --preserve-digests "docker://$made" "docker://$across"
    check "the copy is the same, format $format" same "http://$made" "http://$across"
done
check "schema 2 came as a manifest list" grep -q manifest.list.v2 <(tree "http://$HOST/sk/v2s2-made:multi")
check "and nothing else is in it" fails grep -q vnd.oci <(tree "http://$HOST/sk/v2s2-made:multi")

check "list-tags" equal "$(skopeo list-tags --tls-verify=false "docker://$HOST/sk/oci" | tr -d ' \n')" \
    "{\"Repository\":\"$HOST/sk/oci\",\"Tags\":[\"multi\",\"single\"]}"
must "delete" skopeo delete --tls-verify=false "docker://$HOST/sk/oci-across:multi"
inspect() { skopeo inspect --tls-verify=false --raw "docker://$HOST/sk/$1:multi"; }
check "deleted is gone" fails inspect oci-across
check "its twin is not" equal "$(inspect oci-made | sha256)" "$(sha256 < "$WORK/dir-oci/manifest.json")"
check "the server ends well on SIGTERM" stop holdfast
