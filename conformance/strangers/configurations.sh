# shellcheck shell=bash
# Holdfast in each of the configurations that it is made for. Sourced by lib.sh, not run. It must not know any one stranger.
#
# $CONFIGURATION says which: where the images are and where the metadata, or `replicas`: several processes on S3 and
# PostgreSQL behind a load balancer. Where it is empty: a folder, and the embedded metadata.
: "${CONFIGURATION=}"
REPLICAS=3

# in_s3, in_postgres: what the configuration says
in_s3() { [[ $CONFIGURATION == s3+* || $CONFIGURATION == replicas ]]; }
in_postgres() { [[ $CONFIGURATION == *+postgres || $CONFIGURATION == replicas ]]; }

# name_of DATA: the database of what has that data folder
name_of() { basename "$1" | tr -c 'a-z0-9\n' _; }

# bucket PREFIX: "${STORAGE[@]}", the settings for images in the bucket, which is there from the first use on, and reached at
# $S3_BY if that is set. Not every configuration has the same server, so that no habit of one of them is taken for S3.
bucket() {
    [[ -n ${S3-} ]] || start_s3 "$([[ $CONFIGURATION == s3+embedded ]] && echo versitygw || echo minio)"
    STORAGE=(HOLDFAST_STORAGE_S3_BUCKET="$S3_BUCKET" HOLDFAST_STORAGE_S3_ENDPOINT="${S3_BY-$S3}" HOLDFAST_STORAGE_S3_REGION="$S3_REGION"
        HOLDFAST_STORAGE_S3_ACCESS_KEY_ID="$S3_KEY" HOLDFAST_STORAGE_S3_SECRET_ACCESS_KEY="$S3_SECRET"
        HOLDFAST_STORAGE_S3_PATH_STYLE=true HOLDFAST_STORAGE_S3_PREFIX="$1")
    # Clients are sent to the bucket in one of the configurations, and served through Holdfast in the others. The bucket has
    # another name than the registry there, as it has in life: some clients take their token along to a host of the same name.
    [[ $CONFIGURATION != s3+postgres || -n ${WITHOUT_REDIRECT-} ]] \
        || STORAGE+=(HOLDFAST_STORAGE_S3_REDIRECT=on HOLDFAST_STORAGE_S3_PUBLIC_ENDPOINT="http://localhost:${S3##*:}")
}

# images ROOT: "${STORAGE[@]}", the settings for images in that folder, or in the bucket below a prefix of the same name
images() { if in_s3; then bucket "${1#"$WORK/"}"; else STORAGE=(HOLDFAST_STORAGE_FILESYSTEM_ROOT="$1"); fi; }

# database NAME: "${METADATA[@]}", the settings for metadata in that database, which is there from the first use on, and
# reached at $POSTGRES_BY if that is set
database() {
    [[ -n ${POSTGRES-} ]] || start_postgres
    if [[ $(sql postgres "SELECT 1 FROM pg_database WHERE datname = '$1'") != 1 ]]; then
        sql postgres "CREATE DATABASE $1" || exit 1
    fi
    METADATA=(HOLDFAST_METADATA_POSTGRES_URL="${POSTGRES_BY-$POSTGRES}/$1")
}

# settings DATA: "${SETTINGS[@]}", what the configuration says for that data folder; the servers are started when first needed
settings() {
    local name
    name=$(name_of "$1") STORAGE=() METADATA=()
    in_s3 && bucket "${1#"$WORK/"}/registry"
    in_postgres && database "$name"
    SETTINGS=(${STORAGE[@]+"${STORAGE[@]}"} ${METADATA[@]+"${METADATA[@]}"})
}

# one NAME DATA OPTION... [NAME=VALUE...]: one process on a port that the system picks, or on $LISTEN: $URL, and $HOST without
# the scheme
one() {
    local name=$1 data=$2 options=()
    shift 2
    while [[ ${1-} == --* ]]; do options+=("$1") && shift; done
    start "$name" 'listening on https?://127\.0\.0\.1:[0-9]+' \
        env "$@" "$HOLDFAST_BIN" serve ${options[@]+"${options[@]}"} --data "$data" --listen "${LISTEN-127.0.0.1:0}" || return 1
    URL=${SAID#listening on } HOST=${SAID#listening on *://}
}

# start_replicas COUNT DATA OPTION... [NAME=VALUE...]: so many processes that share what the values say, and a load balancer
# in front: $URL and $HOST. If the values say TLS it is the balancer that speaks it.
start_replicas() {
    local count=$1 data=$2 scheme=http values=() addresses=() value each
    for value in "${@:3}"; do
        if [[ $value == HOLDFAST_SERVER_TLS_* ]]; then scheme=https; else values+=("$value"); fi
    done
    for ((each = 1; each <= count; each++)); do
        one "holdfast-$each" "$data-$each" "${values[@]}" HOLDFAST_SERVER_TRUSTED_PROXIES=127.0.0.1 || return 1
        addresses+=("$HOST")
    done
    REPLICA_ADDRESSES=("${addresses[@]}")
    for HOST in "${addresses[@]}"; do URL=http://$HOST && ready || return 1; done
    start_balancer holdfast-balancer $scheme "${addresses[@]}"
    HOST=127.0.0.1:$PORT URL=$scheme://127.0.0.1:$PORT
}

# stands_there DATA: what was pushed is where the configuration says, and not elsewhere
stands_there() {
    local blobs=docker/registry/v2/blobs/ name folder
    name=$(name_of "$1")
    if in_s3; then
        grep -q /data <(objects "${1#"$WORK/"}/registry/$blobs") || { echo "  the bucket has no blobs"; return 1; }
        for folder in "$1" "$1"-*; do
            [[ ! -e $folder/registry/$blobs ]] || { echo "  $folder has blobs"; return 1; }
        done
    else
        [[ -e $1/registry/$blobs ]] || { echo "  the folder has no blobs"; return 1; }
    fi
    if in_postgres; then
        for folder in "$1" "$1"-*; do
            [[ ! -e $folder/metadata ]] || { echo "  $folder has metadata"; return 1; }
        done
        [[ $(sql "$name" "SELECT sum(n_tup_ins) > 100 FROM pg_stat_user_tables") == t ]] \
            || { echo "  the database has next to nothing"; return 1; }
    else
        [[ -e $1/metadata ]] || { echo "  the folder has no metadata"; return 1; }
    fi
}

# balanced: every replica has answered a good part of the requests, and the parts of single uploads went to several of them
balanced() {
    python3 - "$WORK/holdfast-balancer.log" ${REPLICA_ADDRESSES[@]+"${REPLICA_ADDRESSES[@]}"} << 'PYTHON'
import collections, re, sys
answered, uploads = collections.Counter(), collections.defaultdict(set)
for line in open(sys.argv[1]):
    if line.startswith("balanced "):
        method, path, status, last = re.match(r"balanced (\S+) (.*) (\d+) (?:\S+, )*(\S+)$", line).groups()
        answered[last] += 1
        if "/blobs/uploads/" in path:
            uploads[path].add(last)
print(f"  answered: {dict(answered)}; {sum(len(by) > 1 for by in uploads.values())} of {len(uploads)} uploads by several")
total = sum(answered.values())
enough = all(answered[each] > total / len(sys.argv[2:]) / 2 for each in sys.argv[2:])
sys.exit(not (total > 100 and enough and any(len(by) > 1 for by in uploads.values())))
PYTHON
}

# serving DATA [--open] [NAME=VALUE...]: Holdfast in the configuration, over TLS if the values say so: $URL, $HOST and $SERVED,
# which is DATA; $DATA is the folder in which `admin_` finds it
serving() {
    local data=$1 options=()
    shift
    [[ ${1-} == --open ]] && options=("$1") && shift
    settings "$data"
    SERVED=$data
    set -- ${options[@]+"${options[@]}"} ${SETTINGS[@]+"${SETTINGS[@]}"} "$@"
    if [[ $CONFIGURATION == replicas ]]; then
        DATA=$data-1
        start_replicas $REPLICAS "$data" "$@" || exit 1
    else
        DATA=$data
        one holdfast "$data" "$@" || exit 1
    fi
    ready || { echo "holdfast is not ready" >&2; exit 1; }
}
