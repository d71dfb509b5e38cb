# shellcheck shell=bash
# Three replicas on one bucket and one database: an upload that goes from one to the next, what is deleted or revoked seen by
# all, and clients that go on while one replica after the other ends, well or not.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$strangers/busy.sh"

debian curl skopeo
row "one upload, three replicas"
must "three replicas, with a writer and a reader" replicas_with_users
A=http://${REPLICA_ADDRESSES[0]} B=http://${REPLICA_ADDRESSES[1]} C=http://${REPLICA_ADDRESSES[2]}

as_writer() { curl -sS -u "writer:$(password_of writer)" "$@"; }
status() { as_writer -o /dev/null -w '%{http_code}' "$@"; }
location() { as_writer -o /dev/null -D - "$@" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p'; }
bytes=(-H 'Content-Type: application/octet-stream' --data-binary)
head -c 9000000 /dev/urandom > "$WORK/first.bin" && head -c 7000001 /dev/urandom > "$WORK/second.bin"
DIGEST=$(cat "$WORK/first.bin" "$WORK/second.bin" | sha256)

# upload REPOSITORY POST PATCH PATCH PUT: an upload whose requests go to these replicas
upload() {
    local place
    place=$(location -X POST "$2/v2/$1/blobs/uploads/") && [[ -n $place ]] || return 1
    place=$(location -X PATCH "${bytes[@]}" "@$WORK/first.bin" "$3$place") && [[ -n $place ]] || return 1
    place=$(location -X PATCH "${bytes[@]}" "@$WORK/second.bin" "$4$place") && [[ -n $place ]] || return 1
    equal "$(status -X PUT "$5$place$([[ $place == *\?* ]] && echo '&' || echo '?')digest=$DIGEST")" 201
}
check "POST on A, PATCH on B, PATCH on C, PUT on A" upload team/one "$A" "$B" "$C" "$A"
for replica in "$A" "$B" "$C"; do
    check "its bytes come from each" equal "$(as_writer -L "$replica/v2/team/one/blobs/$DIGEST" | sha256)" "$DIGEST"
done
place=$(location -X POST "$A/v2/team/two/blobs/uploads/")
place=$(location -X PATCH "${bytes[@]}" "@$WORK/first.bin" "$A$place")
must "A has half of another" test -n "$place"
kill -KILL "${PIDS[holdfast-1]}"
end_ holdfast-1
place=$(location -X PATCH "${bytes[@]}" "@$WORK/second.bin" "$B$place")
must "after A has died B takes the rest" test -n "$place"
check "and C makes the blob of it" equal "$(status -X PUT "$C$place$([[ $place == *\?* ]] && echo '&' || echo '?')digest=$DIGEST")" 201
check "its bytes" equal "$(as_writer -L "$B/v2/team/two/blobs/$DIGEST" | sha256)" "$DIGEST"
must "A is there again" restarted 1

row "seen by all: deletions at once, changes of accounts within a second"
# statuses PATH: what each replica answers
statuses() { for replica in "$A" "$B" "$C"; do status "$replica$1"; echo; done | tr '\n' ' '; }
must "a push through A" push "$A" team/seen:1
check "is there on each" equal "$(statuses /v2/team/seen/manifests/1)" "200 200 200 "
check "deleted on B" equal "$(status -X DELETE "$B/v2/team/seen/manifests/1")" 202
check "is gone on each" equal "$(statuses /v2/team/seen/manifests/1)" "404 404 404 "
check "a blob is deleted on C" equal "$(status -X DELETE "$C/v2/team/one/blobs/$DIGEST")" 202
check "and gone on each" equal "$(statuses "/v2/team/one/blobs/$DIGEST")" "404 404 404 "
must "a push through C" push "$C" team/seen:2
as_reader() { curl -sS -o /dev/null -w '%{http_code}' "${@:2}" "$1/v2/team/seen/manifests/2"; }
# by_all CREDENTIAL...: what the replicas answer to them
by_all() { for replica in "$A" "$B" "$C"; do as_reader "$replica" "$@"; echo; done | tr '\n' ' '; }
token=$(curl -fsS -u "reader:$(password_of reader)" "$A/token?service=holdfast&scope=repository:team/seen:pull" | value 'it["token"]')
check "a token that A signed opens each" equal "$(by_all -H "Authorization: Bearer $token")" "200 200 200 "
check "a password, too" equal "$(by_all -u "reader:$(password_of reader)")" "200 200 200 "
must "the reader is disabled on A" admin_ user set reader --disabled true
check "the token opens none a second later" equal "$(by_all -H "Authorization: Bearer $token")" "401 401 401 "
check "nor does the password" equal "$(by_all -u "reader:$(password_of reader)")" "401 401 401 "
must "the reader is enabled on A" admin_ user set reader --disabled false
check "and let in by each" equal "$(by_all -u "reader:$(password_of reader)")" "200 200 200 "

for signal in TERM KILL; do
    row "one replica after another ends by SIG$signal while four clients push and pull"
    check "no client fails ($signal)" while_busy in_turn $signal
    check "whatever was pushed is there ($signal)" all_there
done
check "the servers end well on SIGTERM" stop holdfast
