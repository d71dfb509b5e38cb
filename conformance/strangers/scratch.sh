# shellcheck shell=bash
# Images in a bucket and the embedded metadata on a disk that does not last: a container without a volume. What was there
# is back after the disk is gone, and two of them on one bucket are refused.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "a bucket and no volume"

debian curl skopeo
start_s3 minio
version "$S3_SERVER"
start_line s3 "${S3#http://}"
S3_BY=http://$LINE
layout "$WORK/layout"

# on DATA: a process with that folder, on the bucket
on() { bucket images && guarded "$1" "${STORAGE[@]}"; }
copy() { skopeo --insecure-policy copy -q --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false "$@"; }
# pulled NAME IMAGE: the image is what was pushed, for that user
pulled() {
    rm -rf "$WORK/pulled"
    copy --src-creds "$1:$(password_of "$1")" "docker://$HOST/$2" "oci:$WORK/pulled:multi" \
        && same "oci:$WORK/layout:multi" "oci:$WORK/pulled:multi"
}
all() { LOGIN=admin:$ADMIN_PASSWORD tree "$URL"; }
status() { curl -sS -o /dev/null -w '%{http_code}' "$URL/readyz"; }

on "$WORK/first"
new_user writer && new_user reader && admin_ group add team && admin_ group join team reader || exit 1
admin_ grant add user:writer 'team/**' pull,push && admin_ grant add group:team 'team/**' pull || exit 1
for each in 1 2 3 4 5 6 7 8; do
    must "push $each" copy --dest-creds "writer:$(password_of writer)" "oci:$WORK/layout:multi" "docker://$HOST/team/app$each:1"
done
token=$(printf '%s' "$(password_of reader)" | "$HOLDFAST_BIN" token new --server "$URL" --user reader --password-stdin)
must "the reader has a token" test -n "$token"
before=$(all)
check "nothing but metadata is on the disk" fails test -e "$WORK/first/registry"

row "a second one on the same bucket"
bucket images
refused_second() {
    said "$1" timeout 20 env "${STORAGE[@]}" HOLDFAST_ADMIN_PASSWORD="$ADMIN_PASSWORD" \
        "$HOLDFAST_BIN" serve --data "$WORK/second" --listen 127.0.0.1:0
}
check "is refused, and told why" refused_second 'another|other process|in use|belongs|claim'
check "the first goes on" pulled reader team/app1:1

# gone_and_back SIGNAL: the process ends, and its disk with it
gone_and_back() {
    local seen
    row "the disk is gone after $1"
    if [[ $1 == SIGKILL ]]; then kill -KILL "${PIDS[holdfast]}"; fi
    stop holdfast || [[ $1 == SIGKILL ]] || check "it ended well ($1)" false
    rm -rf "$WORK/first"
    line s3 slow 40
    bucket images
    must "it comes up empty ($1)" one holdfast "$WORK/first" HOLDFAST_ADMIN_PASSWORD="$ADMIN_PASSWORD" "${STORAGE[@]}"
    seen=$(status)
    check "it says that it is not ready ($1)" equal "$seen" 503
    line s3 whole
    must "it is ready in the end ($1)" ready
    check "every image is back ($1)" equal "$(all)" "$before"
    check "the reader is, with their password and their grant ($1)" pulled reader team/app2:1
    check "and their token ($1)" equal "$(curl -sS -o /dev/null -w '%{http_code}' -u "reader:$token" "$URL/v2/team/app3/manifests/1")" 200
    check "and may not push ($1)" refused copy --dest-creds "reader:$(password_of reader)" "oci:$WORK/layout:multi" "docker://$HOST/team/app1:1"
    check "the writer pushes on ($1)" copy --dest-creds "writer:$(password_of writer)" "oci:$WORK/layout:multi" "docker://$HOST/team/app1:1"
}
gone_and_back SIGTERM
gone_and_back SIGKILL
check "the server ends well on SIGTERM" stop holdfast
check "another may have the bucket now" on "$WORK/third"
check "every image is there" equal "$(all)" "$before"
check "the server ends well on SIGTERM" stop holdfast
