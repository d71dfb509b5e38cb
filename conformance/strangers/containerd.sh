# shellcheck shell=bash
# containerd's own client pushes and pulls a multi-platform image.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "ctr images push and pull of a multi-platform image"

debian curl
layout "$WORK/layout"
must "containerd runs on a socket of its own" containerd_engine
version "containerd $(containerd_version)"
holdfast "$WORK/data"
NAME=$HOST/ctr/app

# exported NAME: what containerd holds of an image, as an OCI layout in out/
exported() {
    rm -rf "$WORK/out" && mkdir "$WORK/out" && ctr_ images export --all-platforms "$WORK/out.tar" "$1" \
        && tar -xf "$WORK/out.tar" -C "$WORK/out"
}

for tag in single multi; do
    layout "$WORK/only-$tag" $tag
    tree "oci:$WORK/layout:$tag" > "$WORK/want"
    tar -cf "$WORK/only.tar" -C "$WORK/only-$tag" .
    digest=$(value 'it["manifests"][0]["digest"]' < "$WORK/only-$tag/index.json")
    must "import, $tag" ctr_ images import --all-platforms --no-unpack --base-name "$NAME" "$WORK/only.tar"
    must "push, $tag" ctr_ images push --plain-http "$NAME:$tag"
    check "the pushed objects are the layout's, $tag" same "oci:$WORK/layout:$tag" "http://$HOST/ctr/app:$tag"
    must "remove locally, $tag" ctr_ images rm --sync "$NAME:$tag"
    check "nothing is left locally, $tag" equal "none: $(ctr_ content ls -q)" "none: "
    must "pull, $tag" ctr_ images pull --plain-http --all-platforms "$NAME:$tag"
    check "the same digest, $tag" equal "$(ctr_ images ls "name==$NAME:$tag" | awk 'NR == 2 { print $3 }')" "$digest"
    must "export, $tag" exported "$NAME:$tag"
    check "the pulled objects are the layout's, $tag" layout_has "$WORK/out" "$WORK/want"
    must "remove again, $tag" ctr_ images rm --sync "$NAME:$tag"
done
must "pull by digest" ctr_ images pull --plain-http --all-platforms "$NAME@$digest"
check "the server ends well on SIGTERM" stop holdfast
