# shellcheck shell=bash
# podman (with buildah inside) builds, pushes and pulls images and a manifest list.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "build, push in both formats, pull, manifest push --all"

debian curl podman ca-certificates
version "podman $(podman --version | awk '{ print $3 }')"
holdfast "$WORK/data"
# all its state in folders of the test's own; it needs its own mount namespace to leave none of its mounts behind
podman_() {
    as_root unshare --mount --propagation private podman --root "$WORK/podman" --runroot "$WORK/podman-run" \
        --tmpdir "$WORK/podman-tmp" --storage-driver vfs --cgroup-manager cgroupfs --events-backend none "$@"
}
NAME=$HOST/pod/app
context=$WORK/context
mkdir -p "$context/tree"
head -c 3000000 /dev/urandom > "$context/large.bin"
echo one > "$context/tree/one.txt" && : > "$context/tree/empty"
printf 'FROM scratch\nCOPY large.bin /large.bin\nCOPY tree /tree\n' > "$context/Dockerfile"
id_of() { podman_ image inspect -f '{{.Id}}' "$1"; }

for format in oci docker; do
    must "build, $format" podman_ build --isolation chroot --layers --format $format -t "$NAME:$format" "$context"
    id=$(id_of "$NAME:$format")
    must "push, $format" podman_ push --tls-verify=false --digestfile "$WORK/digest" "$NAME:$format"
    digest=$(as_root cat "$WORK/digest")
    check "the registry's manifest has the pushed digest, $format" equal "$(manifest "pod/app/$format" | sha256)" "$digest"
    tree "http://$HOST/pod/app:$format" > "$WORK/$format.txt"
    check "every object hashes to its digest, $format" test -s "$WORK/$format.txt"
    must "remove locally, $format" podman_ rmi -f "$id"
    check "it is gone, $format" fails podman_ image exists "$NAME:$format"
    must "pull by tag, $format" podman_ pull --tls-verify=false "$NAME:$format"
    check "the same image id, $format" equal "$(id_of "$NAME:$format")" "$id"
    must "pull by digest, $format" podman_ pull --tls-verify=false "$NAME@$digest"
    check "the same image id by digest, $format" equal "$(id_of "$NAME@$digest")" "$id"
    container=$(podman_ create "$NAME:$format" /none)
    podman_ export "$container" > "$WORK/export.tar"
    podman_ rm "$container"
    check "the same bytes in it, $format" equal "$(tar -xOf "$WORK/export.tar" large.bin | sha256)" \
        "$(sha256 < "$context/large.bin")"
    must "push of what was pulled, $format" podman_ push --tls-verify=false "$NAME:$format" "$HOST/pod/again:$format"
    check "the same config, $format" equal "$(tree "http://$HOST/pod/again:$format" | grep "^sha256:$id ")" \
        "$(grep "^sha256:$id " "$WORK/$format.txt")"
done

must "a manifest list" podman_ manifest create list
for platform in linux/amd64 linux/arm64; do
    echo "$platform" > "$context/tree/one.txt"
    must "build for $platform" podman_ build --isolation chroot --platform "$platform" --manifest list "$context"
done
must "push of the list with its images" podman_ manifest push --all --tls-verify=false list "docker://$NAME:list"
check "every object of it hashes to its digest" tree "http://$HOST/pod/app:list"
check "it holds two images" equal \
    "$(manifest pod/app/list | value '*(entry["platform"]["architecture"] for entry in it["manifests"])')" "amd64 arm64"
must "pull of one platform out of the list" podman_ pull --tls-verify=false --platform linux/arm64 "$NAME:list"
check "it is that platform" equal "$(podman_ image inspect -f '{{.Architecture}}' "$NAME:list")" arm64
check "the server ends well on SIGTERM" stop holdfast
