# shellcheck shell=bash
# A real docker engine builds, pushes and pulls.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "build, push, mount, pull of layered images"

debian curl
must "a docker engine runs on a socket of its own" docker_engine
version "docker $(docker_ version -f '{{.Server.Version}}'), $(docker_ info -f '{{.Driver}}')"
holdfast "$WORK/data"
# docker takes 127.0.0.0/8 and localhost for registries without TLS
NAME=localhost:${HOST##*:}/team/app

# the build context: small, large, empty and nested files, a link, modes
context=$WORK/context
mkdir -p "$context/tree/deep/er"
head -c 8000000 /dev/urandom > "$context/large.bin"
echo "one" > "$context/tree/deep/er/one.txt" && : > "$context/tree/empty" && ln -s deep/er/one.txt "$context/tree/link"
chmod 750 "$context/tree/deep"
echo "version 1" > "$context/version.txt"
cat > "$context/Dockerfile" << 'DOCKERFILE'
FROM scratch
COPY large.bin /app/large.bin
COPY tree /app/tree
COPY version.txt /app/version.txt
LABEL org.example.kind="test"
CMD ["/app/large.bin"]
DOCKERFILE

# contents IMAGE: what a container of it would see under /app: modes, names, links and SHA-256
contents() {
    local container out=$WORK/export
    container=$(docker_ create "$1") && as_root rm -rf "$out" && mkdir "$out" || return 1
    docker_ export "$container" > "$WORK/export.tar" && docker_ rm "$container" > /dev/null || return 1
    as_root tar -xf "$WORK/export.tar" -C "$out" || return 1
    (cd "$out/app" && as_root find . -mindepth 1 -printf '%M %p %l %s\n' | sort) || return 1
    (cd "$out/app" && as_root find . -type f -exec sha256sum {} + | sort -k 2)
}
id_of() { docker_ image inspect -f '{{.Id}}' "$1"; }
digest_of() { docker_ image inspect -f '{{index .RepoDigests 0}}' "$1" | sed 's/.*@//'; }
gone() { equal "none: $(docker_ image ls -aq | tr '\n' ' ')" "none: "; }

must "build" docker_ build --network=none -t "$NAME:1" "$context"
must "push" docker_ push "$NAME:1"
id=$(id_of "$NAME:1") digest=$(digest_of "$NAME:1") before=$(contents "$NAME:1")
check "the registry's manifest has the pushed digest" equal "$(manifest team/app/1 | sha256)" "$digest"
check "every object hashes to its digest" tree "http://$HOST/team/app:1"
check "the image's id is the config's digest" grep -q "^$id .*container.image" <(tree "http://$HOST/team/app:1")

must "remove locally" docker_ rmi -f "$NAME:1"
must "nothing is left locally" gone
must "pull by tag" docker_ pull "$NAME:1"
check "the same image id" equal "$(id_of "$NAME:1")" "$id"
check "the same digest" equal "$(digest_of "$NAME:1")" "$digest"
check "the same files, modes and links" equal "$(contents "$NAME:1")" "$before"
check "the files are those of the build" equal "sha256:$(sed -n 's,  ./large.bin,,p' <<< "$before")" \
    "$(sha256 < "$context/large.bin")"

mkdir "$WORK/second" && echo "version 2" > "$WORK/second/version.txt"
printf 'FROM %s\nCOPY version.txt /app/version.txt\n' "$NAME:1" > "$WORK/second/Dockerfile"
must "build a second version on the first" docker_ build --network=none -t "$NAME:2" "$WORK/second"
docker_ push "$NAME:2" > "$WORK/push2.txt" && cat "$WORK/push2.txt"
check "only what is new was sent" equal "$(grep -c 'Layer already exists' "$WORK/push2.txt")" 3
id2=$(id_of "$NAME:2")
OTHER=localhost:${HOST##*:}/other/place/app
must "tag for another repository" docker_ tag "$NAME:2" "$OTHER:2"
docker_ push "$OTHER:2" > "$WORK/push3.txt" && cat "$WORK/push3.txt"
check "its layers were mounted, not sent" equal "$(grep -c 'Mounted from team/app' "$WORK/push3.txt")" 4
check "both repositories hold the same objects" same "http://$HOST/team/app:2" "http://$HOST/other/place/app:2"

must "remove everything locally" docker_ rmi -f "$id2" "$id"
must "nothing is left locally, again" gone
must "pull by digest" docker_ pull "$NAME@$digest"
check "the image of that digest" equal "$(id_of "$NAME@$digest")" "$id"
must "pull all tags" docker_ pull --all-tags "$NAME"
check "the second image" equal "$(id_of "$NAME:2")" "$id2"
check "a tag that is absent is refused" fails docker_ pull "$NAME:absent"
check "the server ends well on SIGTERM" stop holdfast
