# shellcheck shell=bash
# crane, the client of Google's go-containerregistry.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "push, append, mutate, copy, pull, ls, catalog, delete"

MODULE=github.com/google/go-containerregistry PINNED=v0.22.1
debian curl
go_program crane $MODULE $PINNED $MODULE/cmd/crane
version "crane $(built_from "$GO_PROGRAM" $MODULE)"
crane() { "$GO_PROGRAM" --insecure "$@"; }
holdfast "$WORK/data"
layout "$WORK/layout"

for tag in single multi artifact; do
    layout "$WORK/only-$tag" $tag
    tree "oci:$WORK/layout:$tag" > "$WORK/want"
    must "push, $tag" crane push "$WORK/only-$tag" "$HOST/cr/app:$tag"
    check "the pushed objects are the layout's, $tag" same "oci:$WORK/layout:$tag" "http://$HOST/cr/app:$tag"
    must "pull, $tag" crane pull --format oci --annotate-ref "$HOST/cr/app:$tag" "$WORK/pulled-$tag"
    digest=$(crane digest "$HOST/cr/app:$tag")
    check "the pulled manifest has the pushed digest, $tag" grep -q "$digest" "$WORK/pulled-$tag/index.json"
    check "the pulled objects are the layout's, $tag" layout_has "$WORK/pulled-$tag" "$WORK/want"
    must "copy to another repository, $tag" crane copy "$HOST/cr/app:$tag" "$HOST/cr/copied:$tag"
    check "the copy is the same, $tag" same "http://$HOST/cr/app:$tag" "http://$HOST/cr/copied:$tag"
done

head -c 400000 /dev/urandom > "$WORK/more.bin"
tar -cf "$WORK/more.tar" -C "$WORK" more.bin
must "append a layer" crane append --base "$HOST/cr/app:single" --new_layer "$WORK/more.tar" --new_tag "$HOST/cr/app:more"
check "its objects hash to their digests" tree "http://$HOST/cr/app:more"
must "export its files" crane export "$HOST/cr/app:more" "$WORK/export.tar"
check "the appended bytes come back" equal "$(tar -xOf "$WORK/export.tar" more.bin | sha256)" "$(sha256 < "$WORK/more.bin")"
must "mutate" crane mutate --label made=here --tag "$HOST/cr/app:labelled" "$HOST/cr/app:more"
check "the label is there" equal "$(crane config "$HOST/cr/app:labelled" | value 'it["config"]["Labels"]["made"]')" here
must "tag" crane tag "$HOST/cr/app:labelled" last
check "ls" equal "$(crane ls "$HOST/cr/app" | sort | tr '\n' ' ')" "artifact labelled last more multi single "
check "catalog" equal "$(crane catalog "$HOST" | sort | tr '\n' ' ')" "cr/app cr/copied "
check "validate by pulling all" crane validate --remote "$HOST/cr/app:multi"
must "delete by digest" crane delete "$HOST/cr/app@$(crane digest "$HOST/cr/app:more")"
check "deleted is gone" fails crane manifest "$HOST/cr/app:more"
check "the others are there" equal "$(crane ls "$HOST/cr/app" | sort | tr '\n' ' ')" "artifact labelled last multi single "
check "the server ends well on SIGTERM" stop holdfast
