# shellcheck shell=bash
# BuildKit with credentials: it builds on a private base, pushes, and keeps its cache in the registry.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "build on a private base, push, cache in the registry, with a login"

# the newest whose dependencies the Go module proxy holds
MODULE=github.com/moby/buildkit PINNED=v0.32.1
debian curl openssl runc
go_program buildctl $MODULE $PINNED $MODULE/cmd/buildctl
BUILDCTL=$GO_PROGRAM
go_program buildkitd $MODULE $PINNED $MODULE/cmd/buildkitd
version "buildkit $(built_from "$GO_PROGRAM" $MODULE)"
certificates
guarded "$WORK/data" "${TLS[@]}"
new_user builder && admin_ grant add user:builder 'team/**' pull,push || exit 1
new_user reader && admin_ grant add user:reader 'team/**' pull || exit 1

cat > "$WORK/buildkitd.toml" << TOML
root = "$WORK/buildkit"
[grpc]
  address = ["unix://$WORK/buildkit.sock"]
[worker.oci]
  snapshotter = "native"
[worker.containerd]
  enabled = false
[registry."$HOST"]
  http = false # which it would take for granted on this address
  ca = ["$CA"]
TOML
must "buildkitd runs on a socket of its own" start_as_root buildkitd 'running server on' \
    "$GO_PROGRAM" --config "$WORK/buildkitd.toml"

# as docker's config.json keeps a login without a helper
for name in builder reader; do
    mkdir "$WORK/home-$name"
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(printf '%s:%s' $name "$(password_of $name)" | base64 -w 0)" \
        > "$WORK/home-$name/config.json"
done
mkdir "$WORK/home-wrong" "$WORK/home-nobody"
printf '{"auths": {"%s": {"auth": "%s"}}}' "$HOST" "$(printf 'builder:wrong' | base64)" > "$WORK/home-wrong/config.json"
# build HOME FOLDER IMAGE FLAG...
build() {
    as_root env DOCKER_CONFIG="$WORK/home-$1" "$BUILDCTL" --addr "unix://$WORK/buildkit.sock" build --progress plain \
        --frontend dockerfile.v0 --local "context=$WORK/$2" --local "dockerfile=$WORK/$2" \
        --output "type=image,name=$HOST/$3,push=true" "${@:4}"
}
# forget: what the builder has kept
forget() { as_root "$BUILDCTL" --addr "unix://$WORK/buildkit.sock" prune --all; }

mkdir "$WORK/base" "$WORK/next"
head -c 2000000 /dev/urandom > "$WORK/base/base.bin" && head -c 30000 /dev/urandom > "$WORK/next/next.bin"
printf 'FROM scratch\nCOPY base.bin /\n' > "$WORK/base/Dockerfile"
printf 'FROM %s/team/base:1\nCOPY next.bin /\n' "$HOST" > "$WORK/next/Dockerfile"
check "without a login nothing is pushed" refused build nobody base team/base:1
check "nor with a wrong password" refused build wrong base team/base:1
check "nor by who may only read" refused build reader base team/base:1
must "build and push of a base" build builder base team/base:1
check "every object hashes to its digest" tree "$URL/team/base:1"
must "forget it" forget
check "without a login nothing is built on it" refused build nobody next team/next:1
must "build on the base, which is pulled" build builder next team/next:1 \
    --export-cache "type=registry,ref=$HOST/team/cache:1,mode=max"
check "every object hashes to its digest" tree "$URL/team/next:1"
layers() { tree "$URL/$1" | grep 'rootfs\|layer' | sort; }
check "the base's layer is in it" equal "$(comm -12 <(layers team/base:1) <(layers team/next:1) | wc -l)" 1
check "the cache is in the registry" tree "$URL/team/cache:1"
must "forget it again" forget
build builder next team/again:1 --import-cache "type=registry,ref=$HOST/team/cache:1" > "$WORK/again.txt" 2>&1
cat "$WORK/again.txt"
check "a build with that cache copies nothing" grep -q CACHED "$WORK/again.txt"
check "and makes the same layers" equal "$(layers team/again:1)" "$(layers team/next:1)"
check "tokens were asked for by POST" grep -aq '"method":"POST","path":"/token","status":200' "$WORK/holdfast.log"
check "the server ends well on SIGTERM" stop holdfast
