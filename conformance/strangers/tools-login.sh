# shellcheck shell=bash
# crane, oras and regctl log in, each in its own way, over TLS; and Holdfast's own commands with what a login has left.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

debian curl openssl
for tool in "crane github.com/google/go-containerregistry v0.22.1" "oras oras.land/oras v1.3.1" \
    "regctl github.com/regclient/regclient v0.11.7"; do
    read -r name module pinned <<< "$tool"
    go_program "$name" "$module" "$pinned" "$module/cmd/$name"
    declare "${name^^}=$GO_PROGRAM" "${name^^}_VERSION=$name $(built_from "$GO_PROGRAM" "$module")"
done
row "logins of tools"
version "$CRANE_VERSION, $ORAS_VERSION, $REGCTL_VERSION"
certificates
guarded "$WORK/data" "${TLS[@]}"
new_user writer && new_user reader && admin_ grant add user:writer 'team/**' pull,push || exit 1
admin_ grant add user:reader 'team/**' pull && admin_ grant add anonymous 'open/*' pull || exit 1
WRITER=$(password_of writer) READER=$(password_of reader)
layout "$WORK/layout"
for tag in single multi artifact; do layout "$WORK/only-$tag" $tag; done
# at HOME COMMAND...: with a docker configuration of its own
at() { env DOCKER_CONFIG="$WORK/home-$1" "${@:2}"; }

# ---- crane
row "crane: auth login, push, pull, copy, ls, catalog, delete, logout"
version "$CRANE_VERSION"
login() { at "crane-$1" "$CRANE" auth login "$HOST" --username "$1" --password-stdin <<< "$2"; }
crane() { at "crane-$1" "$CRANE" "${@:2}"; }
must "login of writer (crane)" login writer "$WRITER"
must "login of reader (crane)" login reader "$READER"
must "login of admin (crane)" login admin "$ADMIN_PASSWORD"
for tag in single multi artifact; do
    must "push, $tag (crane)" crane writer push "$WORK/only-$tag" "$HOST/team/crane:$tag"
    check "the pushed objects are the layout's, $tag (crane)" same "oci:$WORK/layout:$tag" "$URL/team/crane:$tag"
done
must "pull (crane)" crane reader pull --format oci --annotate-ref "$HOST/team/crane:multi" "$WORK/crane-pulled"
tree "oci:$WORK/layout:multi" > "$WORK/want"
check "the pulled objects are the layout's (crane)" layout_has "$WORK/crane-pulled" "$WORK/want"
must "copy to another repository, which mounts (crane)" crane writer copy "$HOST/team/crane:multi" "$HOST/team/deep/crane:multi"
check "the copy is the same (crane)" same "oci:$WORK/layout:multi" "$URL/team/deep/crane:multi"
check "reader does not push (crane)" refused crane reader push "$WORK/only-single" "$HOST/team/crane:other"
check "writer does not push elsewhere (crane)" refused crane writer push "$WORK/only-single" "$HOST/other/crane:1"
check "nobody pulls without a login (crane)" refused crane nobody digest "$HOST/team/crane:multi"
must "admin pushes where others read (crane)" crane admin push "$WORK/only-single" "$HOST/open/crane:1"
must "and where they do not (crane)" crane admin push "$WORK/only-single" "$HOST/secret/crane:1"
check "what is open is pulled without a login (crane)" crane nobody validate --remote "$HOST/open/crane:1"
catalog() { crane "$1" catalog "$HOST" | sort | tr '\n' ' '; }
check "admin's catalog is all (crane)" equal "$(catalog admin)" "open/crane secret/crane team/crane team/deep/crane "
check "writer's is what they may pull (crane)" equal "$(catalog writer)" "open/crane team/crane team/deep/crane "
check "and so is that of nobody (crane)" equal "$(catalog nobody)" "open/crane "
check "ls (crane)" equal "$(crane reader ls "$HOST/team/crane" | sort | tr '\n' ' ')" "artifact multi single "
digest=$(crane writer digest "$HOST/team/crane:artifact")
check "writer does not delete (crane)" refused crane writer delete "$HOST/team/crane@$digest"
must "admin deletes (crane)" crane admin delete "$HOST/team/crane@$digest"
check "it is gone (crane)" equal "$(crane reader ls "$HOST/team/crane" | sort | tr '\n' ' ')" "multi single "
# crane writes down whatever it is given
must "a wrong password is written down (crane)" at crane-wrong "$CRANE" auth login "$HOST" -u writer --password-stdin <<< wrong
check "and refused (crane)" refused crane wrong digest "$HOST/team/crane:multi"
check "even where nobody needs one (crane)" refused crane wrong digest "$HOST/open/crane:1"
must "logout (crane)" crane writer auth logout "$HOST"
check "after it a pull is refused (crane)" refused crane writer digest "$HOST/team/crane:multi"

# ---- oras
row "oras: login, push, attach, discover, copy, logout"
version "$ORAS_VERSION"
login() { at "oras-$1" "$ORAS" login "$HOST" --username "$2" --password-stdin <<< "$3"; }
oras() { at "oras-$1" "$ORAS" "${@:2}"; }
mkdir "$WORK/files" && cd "$WORK/files" || exit 1
head -c 200000 /dev/urandom > model.bin && echo '{"spdx": 1}' > sbom.json
check "a wrong password is refused (oras)" refused login wrong writer wrong
must "login of writer (oras)" login writer writer "$WRITER"
must "login of reader (oras)" login reader reader "$READER"
must "push (oras)" oras writer push "$HOST/team/oras:1" --artifact-type application/vnd.example.model model.bin
check "its objects hash to their digests (oras)" tree "$URL/team/oras:1"
must "attach (oras)" oras writer attach "$HOST/team/oras:1" --artifact-type application/spdx+json sbom.json
found() {
    oras "$1" discover --distribution-spec v1.1-referrers-api --format json "$HOST/$2" \
        | value '*(each["artifactType"] for each in it["referrers"])'
}
check "reader finds it (oras)" equal "$(found reader team/oras:1)" application/spdx+json
check "nobody finds it without a login (oras)" refused oras nobody discover "$HOST/team/oras:1"
must "pull (oras)" oras reader pull "$HOST/team/oras:1" -o "$WORK/oras-pulled"
check "the pulled is the pushed (oras)" cmp model.bin "$WORK/oras-pulled/model.bin"
check "reader does not push (oras)" refused oras reader push "$HOST/team/oras:2" model.bin
check "nor attach (oras)" refused oras reader attach "$HOST/team/oras:1" --artifact-type application/vnd.example.no sbom.json
must "copy with what is attached, which mounts (oras)" oras writer cp -r "$HOST/team/oras:1" "$HOST/team/deep/oras:1"
check "it came along (oras)" equal "$(found reader team/deep/oras:1)" application/spdx+json
check "writer does not delete (oras)" refused oras writer manifest delete --force "$HOST/team/oras:1"
check "what writer sees of the registry (oras)" equal "$(oras writer repo ls "$HOST" | sort | tr '\n' ' ')" \
    "open/crane team/crane team/deep/crane team/deep/oras team/oras "
must "logout (oras)" oras writer logout "$HOST"
check "after it a pull is refused (oras)" refused oras writer manifest fetch "$HOST/team/oras:1"

# ---- regctl
row "regctl: registry login, image copy, blobs, tag delete, logout"
version "$REGCTL_VERSION"
regctl() { REGCTL_CONFIG=$WORK/regctl-$1.json at "regctl-$1" "$REGCTL" "${@:2}"; }
login() { regctl "$1" registry login "$HOST" --user "$2" --pass-stdin <<< "$3"; }
check "a wrong password is refused (regctl)" refused login wrong writer wrong
must "login of writer (regctl)" login writer writer "$WRITER"
must "login of reader (regctl)" login reader reader "$READER"
must "login of admin (regctl)" login admin admin "$ADMIN_PASSWORD"
must "push (regctl)" regctl writer image copy "ocidir://$WORK/layout:multi" "$HOST/team/regctl:multi"
check "the pushed objects are the layout's (regctl)" same "oci:$WORK/layout:multi" "$URL/team/regctl:multi"
must "copy to another repository, which mounts (regctl)" regctl writer image copy "$HOST/team/regctl:multi" "$HOST/team/deep/regctl:multi"
check "the copy is the same (regctl)" same "oci:$WORK/layout:multi" "$URL/team/deep/regctl:multi"
must "pull (regctl)" regctl reader image copy "$HOST/team/regctl:multi" "ocidir://$WORK/regctl-pulled:multi"
check "the pulled objects are the layout's (regctl)" same "oci:$WORK/layout:multi" "oci:$WORK/regctl-pulled:multi"
digest=$(regctl writer blob put "$HOST/team/regctl" < "$WORK/files/model.bin")
check "a blob alone (regctl)" equal "$digest" "$(sha256 < "$WORK/files/model.bin")"
check "reader gets it (regctl)" equal "$(regctl reader blob get "$HOST/team/regctl" "$digest" | sha256)" "$digest"
check "reader does not push (regctl)" refused regctl reader image copy "ocidir://$WORK/layout:single" "$HOST/team/regctl:single"
check "nobody pulls without a login (regctl)" refused regctl nobody manifest head "$HOST/team/regctl:multi"
check "writer does not delete (regctl)" refused regctl writer tag delete "$HOST/team/regctl:multi"
must "admin does (regctl)" regctl admin tag delete "$HOST/team/regctl:multi"
check "it is gone (regctl)" fails regctl reader manifest head "$HOST/team/regctl:multi"
must "logout (regctl)" regctl writer registry logout "$HOST"
check "after it a pull is refused (regctl)" refused regctl writer manifest head "$HOST/team/deep/regctl:multi"

# ---- Holdfast's own commands with crane's logins
row "holdfast ls, inspect, rm, user with what a login has left"
version "$("$HOLDFAST_BIN" --version)"
told() { at "crane-$1" "$HOLDFAST_BIN" "${@:2}" --ca "$CA"; }
check "ls of an administrator" equal "$(told admin ls "$HOST/" | wc -l)" 8
check "ls of a reader" equal "$(told reader ls "$HOST/" | wc -l)" 7
check "ls of nobody" equal "$(told nobody ls "$HOST/")" open/crane
check "inspect" equal "$(told reader inspect "$HOST/team/crane:multi" --raw | sha256)" "$(manifest team/crane/multi | sha256)"
check "a reader removes nothing" fails told reader rm "$HOST/team/crane:multi" --yes
must "an administrator does" told admin rm "$HOST/team/crane:multi" --yes
check "users are told to an administrator" grep -q '^writer ' <(told admin user list --server "$URL")
check "and to nobody else" fails told reader user list --server "$URL"
check "the server ends well on SIGTERM" stop holdfast
