# shellcheck shell=bash
# Azure's blob storage, by its emulator: a push, a pull, a deletion, and everything again from the container alone. There is
# no emulator of Google Cloud Storage that speaks its XML API with PUT and uploads in parts; fake-gcs-server 1.56 does not.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

debian curl skopeo
layout "$WORK/layout"
head -c 40000000 /dev/urandom > "$WORK/large.bin" # several parts
copy() { skopeo --insecure-policy copy -q --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false "$@"; }
status() { curl -sS -o /dev/null -w '%{http_code}' "$@"; }

# over NAME SETTING...: Holdfast on that bucket does what it does
over() {
    local name=$1 digest before place
    shift
    holdfast "$WORK/$name" "$@"
    for tag in single multi artifact; do
        must "push, $tag ($name)" copy "oci:$WORK/layout:$tag" "docker://$HOST/team/app:$tag"
        check "the pushed objects are the layout's, $tag ($name)" same "oci:$WORK/layout:$tag" "http://$HOST/team/app:$tag"
        must "pull, $tag ($name)" copy "docker://$HOST/team/app:$tag" "oci:$WORK/pulled-$name:$tag"
        check "the pulled are, too, $tag ($name)" same "oci:$WORK/layout:$tag" "oci:$WORK/pulled-$name:$tag"
    done
    digest=$(sha256 < "$WORK/large.bin")
    check "a layer of many parts, in one piece ($name)" equal \
        "$(status --data-binary "@$WORK/large.bin" -H 'Content-Type: application/octet-stream' \
            "$URL/v2/team/large/blobs/uploads/?digest=$digest")" 201
    place=$(curl -sS -D - -o /dev/null -X POST "$URL/v2/team/large2/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    must "an upload begins ($name)" test -n "$place"
    place=$(curl -sS -D - -o /dev/null -X PATCH --data-binary "@$WORK/large.bin" \
        -H 'Content-Type: application/octet-stream' "$URL$place" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    check "and is finished ($name)" equal "$(status -X PUT "$URL$place$([[ $place == *\?* ]] && echo '&' || echo '?')digest=$digest")" 201
    check "it comes back ($name)" equal "$(curl -fsSL "$URL/v2/team/large2/blobs/$digest" | sha256)" "$digest"
    check "a part of it, too ($name)" equal "$(curl -fsSL -r 20000000-29999999 "$URL/v2/team/large/blobs/$digest" | sha256)" \
        "$(tail -c +20000001 "$WORK/large.bin" | head -c 10000000 | sha256)"
    check "a tag is deleted ($name)" equal "$(status -X DELETE "$URL/v2/team/app/manifests/artifact")" 202
    before=$(tree "$URL")
    check "the server ends well on SIGTERM ($name)" stop holdfast
    rm -rf "${WORK:?}/$name"
    holdfast "$WORK/$name" "$@"
    check "all that was there is there again without its disk ($name)" equal "$(tree "$URL")" "$before"
    check "but not what was deleted ($name)" equal "$(status "$URL/v2/team/app/manifests/artifact")" 404
    check "the server ends well on SIGTERM, again ($name)" stop holdfast
}

row "Azure Blob Storage, by azurite"
start_azure
version "azurite 3.37.0"
over azure HOLDFAST_STORAGE_AZURE_CONTAINER=images HOLDFAST_STORAGE_AZURE_ACCOUNT="$AZURE_ACCOUNT" \
    HOLDFAST_STORAGE_AZURE_ACCESS_KEY="$AZURE_KEY" HOLDFAST_STORAGE_AZURE_ENDPOINT="$AZURE" HOLDFAST_STORAGE_AZURE_PREFIX=some/where
