# shellcheck shell=bash
# podman and skopeo log in, over TLS, and share what the login has left.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "podman and skopeo: login, build, push, pull, copy, delete, logout"

debian curl openssl podman skopeo ca-certificates
version "podman $(podman --version | awk '{ print $3 }'), skopeo $(skopeo --version | awk '{ print $3 }')"
certificates
guarded "$WORK/data" "${TLS[@]}"
new_user writer && admin_ grant add user:writer 'team/**' pull,push && admin_ grant add anonymous 'open/*' pull || exit 1
# these two are told of the authority as people are told to, with a folder
mkdir "$WORK/certs.d" && cp "$CA" "$WORK/certs.d/ca.crt"

AUTH=$WORK/auth.json
echo '{}' > "$AUTH"
podman_() {
    as_root env -u SSL_CERT_FILE REGISTRY_AUTH_FILE="$AUTH" unshare --mount --propagation private podman --root "$WORK/podman" \
        --runroot "$WORK/podman-run" --tmpdir "$WORK/podman-tmp" --storage-driver vfs --cgroup-manager cgroupfs \
        --events-backend none "$@"
}
login() { podman_ login --cert-dir "$WORK/certs.d" --username "$1" --password-stdin "$HOST" <<< "$2"; }
push() { podman_ push --cert-dir "$WORK/certs.d" built "docker://$HOST/$1"; }
pull() { podman_ pull --cert-dir "$WORK/certs.d" "docker://$HOST/$1"; }

mkdir "$WORK/context" && head -c 300000 /dev/urandom > "$WORK/context/some.bin"
printf 'FROM scratch\nCOPY some.bin /\n' > "$WORK/context/Dockerfile"
must "build" podman_ build --isolation chroot -t built "$WORK/context"
check "a certificate of an authority that nobody knows is refused" said 'x509|certificate' \
    podman_ login --username writer --password-stdin "$HOST" <<< "$(password_of writer)"
check "a wrong password is refused" refused login writer wrong-password
check "and leaves nothing" fails as_root grep -q "$HOST" "$AUTH"
check "without a login nothing is pushed" refused push team/app:1
must "login" login writer "$(password_of writer)"
check "as whom is known" equal "$(podman_ login --get-login "$HOST")" writer
must "push" push team/app:1
check "every object hashes to its digest" tree "$URL/team/app:1"
check "nothing is pushed elsewhere" refused push other/app:1
must "remove locally" podman_ rmi -f built
must "pull" pull team/app:1
check "it is the pushed" equal "$(podman_ image inspect -f '{{.Id}}' "$HOST/team/app:1")" \
    "$(manifest team/app/1 | value 'it["config"]["digest"][7:]')"

layout "$WORK/layout"
skopeo_() { as_root env -u SSL_CERT_FILE REGISTRY_AUTH_FILE="$AUTH" skopeo --insecure-policy "$@"; }
to() { skopeo_ copy --all --preserve-digests --dest-cert-dir "$WORK/certs.d" "$@"; }
from() { skopeo_ copy --all --preserve-digests --src-cert-dir "$WORK/certs.d" "$@"; }
tags() { skopeo_ list-tags --cert-dir "$WORK/certs.d" "$@" | value '" ".join(it["Tags"])'; }
delete() { skopeo_ delete --cert-dir "$WORK/certs.d" "$@"; }
must "skopeo pushes with podman's login" to "oci:$WORK/layout:multi" "docker://$HOST/team/app:multi"
check "the pushed objects are the layout's" same "oci:$WORK/layout:multi" "$URL/team/app:multi"
must "skopeo pulls" from "docker://$HOST/team/app:multi" "oci:$WORK/pulled:multi"
check "the pulled objects are the layout's" same "oci:$WORK/layout:multi" "oci:$WORK/pulled:multi"
must "skopeo copies inside the registry" skopeo_ copy --all --preserve-digests --src-cert-dir "$WORK/certs.d" \
    --dest-cert-dir "$WORK/certs.d" "docker://$HOST/team/app:multi" "docker://$HOST/team/deep/er:multi"
check "the copy is the same" same "oci:$WORK/layout:multi" "$URL/team/deep/er:multi"
check "it lists tags" equal "$(tags "docker://$HOST/team/app")" "1 multi"
check "it deletes nothing, as it may not" refused delete "docker://$HOST/team/app:multi"
check "an administrator's password on the command line does" delete --creds "admin:$ADMIN_PASSWORD" "docker://$HOST/team/app:multi"
check "it is gone" equal "$(tags "docker://$HOST/team/app")" 1
# by hand, since podman logs in with passwords alone
check "a token of one's own" to --dest-creds "writer:$(printf '%s' "$(password_of writer)" | "$HOLDFAST_BIN" token new \
    --server "$URL" --ca "$CA" --user writer --password-stdin --repository 'team/token' --actions pull,push)" \
    "oci:$WORK/layout:single" "docker://$HOST/team/token:1"

must "logout" podman_ logout "$HOST"
must "build again" podman_ build --isolation chroot -t built "$WORK/context"
check "after it a push is refused" refused push team/app:2
check "and a pull" refused pull team/app:1
check "and skopeo's" refused from "docker://$HOST/team/app:1" "oci:$WORK/other:1"
must "an open image" to --dest-creds "admin:$ADMIN_PASSWORD" "oci:$WORK/layout:single" "docker://$HOST/open/app:1"
check "is pulled without a login" from "docker://$HOST/open/app:1" "oci:$WORK/open:1"
check "the server ends well on SIGTERM" stop holdfast
