# shellcheck shell=bash
# Three replicas while something that they stand on is slow, out of reach, or restarted, or one of them stands still: clients
# with docker's patience notice nothing, what was acknowledged is there, and /readyz tells the truth meanwhile.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$strangers/busy.sh"

debian curl skopeo
row "three replicas with lines that can be cut"
start_s3 minio
start_postgres
start_line s3 "${S3#http://}"
S3_BY=http://$LINE
start_line postgres "$POSTGRES_ADDRESS"
POSTGRES_BY=${POSTGRES%@*}@$LINE
must "three replicas, with a writer and a reader" replicas_with_users
version "minio, PostgreSQL $(sql postgres 'SHOW server_version')"

# each_is STATUS: what /readyz of every replica says
each_is() {
    local address
    for address in "${REPLICA_ADDRESSES[@]}"; do
        equal "$(curl -sS -o /dev/null -w '%{http_code}' "http://$address/readyz")" "$1" || return 1
    done
}
# cut_for NAME SECONDS: the line is cut so long, and each replica says so
cut_for() {
    line "$1" cut
    within 10 each_is 503 || { line "$1" whole; return 1; }
    sleep "$2"
    line "$1" whole
    within 15 each_is 200
}
slow_for() { line "$1" slow "$2" && sleep "$3"; line "$1" whole; }
stands_still() {
    kill -STOP "${PIDS[holdfast-2]}"
    sleep 20 # longer than its lease
    kill -CONT "${PIDS[holdfast-2]}"
    sleep 5 # and it goes on with whatever it was about to do
    within 10 each_is 200
}

# during WHAT COMMAND...: nobody notices
during() {
    row "$1, while four clients push and pull"
    check "no client fails ($1)" while_busy "${@:2}"
    check "whatever was pushed is there ($1)" all_there
}
during "S3 is slow" slow_for s3 200 10
during "S3 is out of reach for some seconds" cut_for s3 5
during "PostgreSQL is slow" slow_for postgres 50 10
during "PostgreSQL is out of reach for some seconds" cut_for postgres 5
during "PostgreSQL is restarted" restart_postgres
during "a replica stands still for longer than its lease" stands_still

row "after all that"
check "each replica is ready" within 20 each_is 200
# left: uploads in parts, and objects on their way, that are in the bucket
left() {
    local uploads
    uploads=$(s3_ "$S3_BUCKET?uploads=") || return
    grep -oE '<UploadId>[^<]*</UploadId>' <<< "$uploads"
    objects data/registry/holdfast/staging/
}
none_left() { local found; found=$(left) || return 2; [[ -z $found ]] || { echo "$found"; return 1; }; }
# what nobody goes on with would be seen
nobodys=$(s3_ "$S3_BUCKET/nobodys?uploads=" -X POST | sed -n 's,.*<UploadId>\(.*\)</UploadId>.*,\1,p')
must "an upload of nobody" test -n "$nobodys"
check "it would be seen" fails none_left
must "it is dropped" s3_ "$S3_BUCKET/nobodys?uploadId=$nobodys" -X DELETE
must "the servers end well on SIGTERM" stop holdfast
# one comes back, to whom a minute is long
sleep 60
must "a replica is there again" restarted 1 HOLDFAST_REGISTRY_UPLOAD_IDLE_SECS=60
check "nothing unfinished is left in the bucket" within 60 none_left
check "it ends well on SIGTERM" stop holdfast
