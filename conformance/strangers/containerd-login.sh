# shellcheck shell=bash
# containerd's own client with names and passwords: it asks for tokens by POST first, as Kubernetes nodes do.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "ctr images push and pull with --user"

debian curl openssl
layout "$WORK/layout"
must "containerd runs on a socket of its own" containerd_engine
version "containerd $(containerd_version)"
certificates
guarded "$WORK/data" "${TLS[@]}"
new_user writer && new_user reader && admin_ grant add user:writer 'ctr/**' pull,push || exit 1
admin_ grant add user:reader '**' pull && admin_ grant add anonymous 'ctr/open' pull || exit 1
admin_ service add node && admin_ grant add service:node '**' pull || exit 1

# as a node is told of a registry; without it, it speaks to this address without TLS
mkdir -p "$WORK/hosts/$HOST"
printf 'server = "%s"\n[host."%s"]\n  ca = "%s"\n' "$URL" "$URL" "$CA" > "$WORK/hosts/$HOST/hosts.toml"
# images COMMAND NAME:PASSWORD ARGUMENT...
images() { ctr_ images "$1" --hosts-dir "$WORK/hosts" ${2:+--user "$2"} "${@:3}"; }
writer=writer:$(password_of writer) reader=reader:$(password_of reader)
layout "$WORK/only" multi
tar -cf "$WORK/only.tar" -C "$WORK/only" .
for name in app open deep/er; do
    must "import, $name" ctr_ images import --all-platforms --no-unpack --base-name "$HOST/ctr/$name" "$WORK/only.tar"
    must "push, $name" images push "$writer" "$HOST/ctr/$name:multi"
    check "the pushed objects are the layout's, $name" same "oci:$WORK/layout:multi" "$URL/ctr/$name:multi"
    must "remove locally, $name" ctr_ images rm --sync "$HOST/ctr/$name:multi"
done
check "tokens were asked for by POST" grep -aq '"method":"POST","path":"/token","status":200' "$WORK/holdfast.log"
check "nothing is left locally" equal "none: $(ctr_ content ls -q)" "none: "
pull() { images pull "$1" --all-platforms "$2" && ctr_ images rm --sync "$2"; }
check "writer pulls" pull "$writer" "$HOST/ctr/app:multi"
check "reader pulls" pull "$reader" "$HOST/ctr/deep/er:multi"
check "admin pulls" pull "admin:$ADMIN_PASSWORD" "$HOST/ctr/app:multi"
check "a node pulls with a secret" pull "node:$(admin_ service secret node)" "$HOST/ctr/app:multi"
check "a wrong password is refused" refused pull "reader:$(password_of writer)" "$HOST/ctr/app:multi"
check "nobody pulls without a login" refused pull "" "$HOST/ctr/app:multi"
check "but what is open" pull "" "$HOST/ctr/open:multi"
must "import again" ctr_ images import --all-platforms --no-unpack --base-name "$HOST/ctr/new" "$WORK/only.tar"
check "reader does not push" refused images push "$reader" "$HOST/ctr/new:multi"
check "nor does somebody without a login" refused images push "" "$HOST/ctr/new:multi"
check "of which nothing is left" fails admin_ ls ctr/new
must "an administrator disables reader" admin_ user set reader --disabled true
check "the next pull is refused" refused pull "$reader" "$HOST/ctr/app:multi"
check "the server ends well on SIGTERM" stop holdfast
