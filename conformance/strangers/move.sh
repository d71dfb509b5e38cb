# shellcheck shell=bash
# A registry moves between all kinds of places while a client pushes: images between a folder and a bucket, metadata between
# sled and PostgreSQL. One mover is killed. What was acknowledged is there afterwards, under the same passwords and tokens;
# and whoever comes back with metadata that others have left behind, or to another bucket, is refused or begins anew.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "the places"

MODULE=github.com/google/go-containerregistry PINNED=v0.22.1
debian curl
go_program crane $MODULE $PINNED $MODULE/cmd/crane
CRANE=$GO_PROGRAM
start_s3 minio
start_postgres
version "crane $(built_from "$CRANE" $MODULE)"
crane() { DOCKER_CONFIG=$WORK/crane "$CRANE" --insecure "$@"; }
LOGIN=admin:$ADMIN_PASSWORD

# place IMAGES METADATA: "${PLACE[@]}", the settings for images in that folder below $WORK, or in the bucket (s3:PREFIX), and
# for metadata in sled or in that database
place() {
    case $1 in s3:*) bucket "${1#s3:}" ;; *) STORAGE=(HOLDFAST_STORAGE_FILESYSTEM_ROOT="$WORK/$1") ;; esac
    METADATA=()
    [[ $2 == sled ]] || database "$2"
    PLACE=("${STORAGE[@]}" ${METADATA[@]+"${METADATA[@]}"})
}

# up NAME IMAGES METADATA: a server there, with the data folder $WORK/NAME
up() {
    place "$2" "$3"
    one "holdfast-$1" "$WORK/$1" HOLDFAST_ADMIN_PASSWORD="$ADMIN_PASSWORD" "${PLACE[@]}" && ready || return 1
    DATA=$WORK/$1
    password_of writer | crane auth login "$HOST" --username writer --password-stdin
}
# no_server PATTERN NAME IMAGES METADATA: one there is refused, for that reason
no_server() {
    place "$3" "$4"
    said "$1" timeout 60 env HOLDFAST_ADMIN_PASSWORD="$ADMIN_PASSWORD" "${PLACE[@]}" \
        "$HOLDFAST_BIN" serve --data "$WORK/$2" --listen 127.0.0.1:0
}

# move_ FROM IMAGES METADATA TO IMAGES METADATA: "${MOVE[@]}", the command that moves from the one place to the other
move_() {
    place "$5" "$6"
    printf 'data = "%s"\n' "$WORK/$4" > "$WORK/$4.toml"
    local to=("${PLACE[@]/#HOLDFAST_/HOLDFAST_TO_}")
    place "$2" "$3"
    MOVE=(env "${PLACE[@]}" "${to[@]}" "$HOLDFAST_BIN" move --data "$WORK/$1" --to "$WORK/$4.toml" --jobs 2)
}

# image NAME BYTES: an image of its own with so much in it, pushed by the writer; what was acknowledged is in $WORK/pushed
image() {
    local layer=$WORK/layer-$BASHPID digest
    mkdir -p "$layer" && head -c "$2" /dev/urandom > "$layer/bytes" && tar -cf "$layer.tar" -C "$layer" bytes || return 1
    digest=$(crane append --new_layer "$layer.tar" --new_tag "$HOST/team/$1") || return 1
    echo "$1 ${digest##*@}" >> "$WORK/pushed"
}

# while_pushed COMMAND...: it is done while images come in, of which some are acknowledged; whoever moves may refuse the last
while_pushed() {
    local pusher code before
    before=$(wc -l < "$WORK/pushed")
    rm -f "$WORK/enough"
    ROUNDS=$((${ROUNDS-0} + 1))
    (for ((each = 0; ; each++)); do
        [[ ! -e $WORK/enough ]] || break
        image "flow:$ROUNDS-$each" 20000 || sleep 0.2
    done) > "$WORK/flow.log" 2>&1 &
    pusher=$!
    within 60 more_than "$before" && "$@"
    code=$?
    touch "$WORK/enough"
    wait $pusher
    echo "  $(($(wc -l < "$WORK/pushed") - before)) pushes meanwhile"
    return $code
}
more_than() { [[ $(wc -l < "$WORK/pushed") -gt $1 ]]; }

# all_there: whatever was acknowledged, by its digest
all_there() {
    local name digest count=0
    while read -r name digest; do
        equal "$(crane digest "$HOST/team/$name")" "$digest" || { echo "  $name"; return 1; }
        count=$((count + 1))
    done < "$WORK/pushed"
    echo "  $count images"
}
status() { curl -sS -o /dev/null -w '%{http_code}' "$@"; }
# knows_everybody: passwords, tokens and grants are what they were
knows_everybody() {
    equal "$(status -u "reader:$(password_of reader)" "$URL/v2/team/app1/manifests/1")" 200 \
        && equal "$(status -u "reader:$TOKEN" "$URL/v2/team/app2/manifests/1")" 200 \
        && equal "$(status -u "reader:$TOKEN" -X POST "$URL/v2/team/app1/blobs/uploads/")" 403 \
        && equal "$(status -u "reader:wrong" "$URL/v2/")" 401
}
# same_as_before WHERE: every manifest and blob, byte for byte, and everybody who may see them
same_as_before() {
    tree "$URL" > "$WORK/after"
    check "every byte is there ($1)" diff "$WORK/before" "$WORK/after"
    check "whatever was acknowledged is there ($1)" all_there
    check "everybody is known by the same password and token ($1)" knows_everybody
    check "and pushes on ($1)" image "app1:after-$1" 5000
}
# old_takes_nothing: the old server answers who pulls and refuses who pushes; its bytes are $WORK/before
old_takes_nothing() {
    tree "$URL" > "$WORK/before"
    [[ -s $WORK/before ]] && equal "$(status -u "writer:$(password_of writer)" -X POST "$URL/v2/team/app1/blobs/uploads/")" 503
}

row "folder and sled -> bucket and PostgreSQL"
: > "$WORK/pushed"
place a sled
must "the first server" one holdfast-a "$WORK/a" HOLDFAST_ADMIN_PASSWORD="$ADMIN_PASSWORD" "${PLACE[@]}"
DATA=$WORK/a
must "is ready" ready
new_user writer && new_user reader && admin_ grant add user:writer 'team/**' pull,push,delete \
    && admin_ grant add user:reader 'team/**' pull || exit 1
must "the writer logs in" crane auth login "$HOST" --username writer --password "$(password_of writer)"
TOKEN=$(printf '%s' "$(password_of reader)" | "$HOLDFAST_BIN" token new --server "$URL" --user reader --password-stdin)
must "the reader has a token" test -n "$TOKEN"
for each in 1 2 3 4 5 6 7 8; do must "push $each" image "app$each:1" 20000000; done
move_ a a sled b s3:b b
copied() { grep -q /data <(objects b/docker/registry/v2/blobs/); }
killed() {
    start mover 'copying' "${MOVE[@]}" || return 1
    within 60 copied
    kill -KILL "${PIDS[mover]}"
    end_ mover
    fails grep -q 'all is moved' "$WORK/mover.log"
}
must "a mover is killed in the middle" while_pushed killed
check "nobody serves half of it" no_server 'holdfast move' b s3:b b
must "the same command comes to its end" while_pushed "${MOVE[@]}"
check "the old one answers pulls and takes no pushes" old_takes_nothing
check "the old server ends well" stop holdfast-a
must "the new one" up b s3:b b
same_as_before b

row "bucket and PostgreSQL -> folder and sled"
move_ b s3:b b c c sled
must "it moves back" while_pushed "${MOVE[@]}"
check "the old one answers pulls and takes no pushes" old_takes_nothing
check "the old server ends well" stop holdfast-b
must "the new one" up c c sled
same_as_before c

row "folder and sled -> the same folder and PostgreSQL"
tree "$URL" > "$WORK/before"
check "the server ends well" stop holdfast-c
move_ c c sled d c d
must "it moves, stopped" "${MOVE[@]}"
must "the new one" up d c d
same_as_before d
events() { admin_ events -n 1000; }
check "the audit trail came along" grep -q 'app1:after-c' <(events)
tree "$URL" > "$WORK/before"
check "the server ends well" stop holdfast-d
must "whoever comes back to sled" up c c sled
check "finds what PostgreSQL had told" diff "$WORK/before" <(tree "$URL")
check "and the other way PostgreSQL is refused while it runs" no_server 'belongs to' d c d
check "the server ends well" stop holdfast-c
check "and after it" no_server 'older than the storage.*drop the schema' d c d
sql d 'DROP SCHEMA holdfast CASCADE'
must "until its schema is dropped" up d c d
check "and all is there" diff "$WORK/before" <(tree "$URL")
check "the server ends well" stop holdfast-d

row "bucket and sled -> the same bucket and PostgreSQL"
move_ d c d e s3:e sled
must "a bucket with embedded metadata, from where no server runs" "${MOVE[@]}"
must "its server" up e s3:e sled
old_url=$URL
check "has everything" all_there
move_ e s3:e sled f s3:e f
begun() {
    start mover 'takes no changes' "${MOVE[@]}" || return 1
    kill -KILL "${PIDS[mover]}"
    end_ mover
    return 0
}
must "a mover is killed while the server stands still" begun
check "a mover that was killed has changed nothing for the server" within 90 image app1:meanwhile 5000
must "the same command comes to its end" while_pushed "${MOVE[@]}"
check "the old one answers pulls and takes no pushes" old_takes_nothing
must "the new one, beside the old one" up f s3:e f
same_as_before f
URL=$old_url
check "the old one has lost the bucket" within 20 grep -q 'claim on the storage is lost' "$WORK/holdfast-e.log"
check "the old server ends well" stop holdfast-e
check "and does not come back beside the new one" no_server 'belongs to' e s3:e sled
check "the new server ends well" stop holdfast-f
check "another prefix by mistake is refused" no_server 'holds nothing of what the metadata knows' f s3:elsewhere f
must "the right one is not" up f s3:e f
check "and all is there" all_there
check "the server ends well" stop holdfast-f
