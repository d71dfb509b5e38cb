# shellcheck shell=bash
# Three replicas, and clients that push and pull while something happens to them. Sourced after lib.sh, not run.

# replicas_with_users: at $BALANCED, with `writer` and `reader` of team/**
replicas_with_users() {
    layout "$WORK/layout"
    guarded "$WORK/data"
    BALANCED=$URL
    new_user writer && new_user reader && admin_ grant add user:writer 'team/**' pull,push,delete \
        && admin_ grant add user:reader 'team/**' pull
}

# restarted NUMBER [NAME=VALUE...]: that replica is there again, at its address
restarted() {
    settings "$SERVED"
    LISTEN=${REPLICA_ADDRESSES[$(($1 - 1))]} one "holdfast-$1" "$SERVED-$1" HOLDFAST_ADMIN_PASSWORD="$ADMIN_PASSWORD" \
        HOLDFAST_SERVER_TRUSTED_PROXIES=127.0.0.1 "${SETTINGS[@]}" "${@:2}" && ready
}

# in_turn SIGNAL: one replica after the other ends so, and is there again
in_turn() {
    local each
    for ((each = 1; each <= REPLICAS; each++)); do
        [[ $1 != KILL ]] || kill -KILL "${PIDS[holdfast-$each]}"
        end_ "holdfast-$each" || [[ $1 == KILL ]] || return 1
        sleep 2 # the others have it all meanwhile
        restarted $each || return 1
    done
}

copy() { skopeo --insecure-policy copy -q --all --preserve-digests --src-tls-verify=false --dest-tls-verify=false "$@"; }
# push URL IMAGE [LAYOUT]: as the writer
push() { copy --dest-creds "writer:$(password_of writer)" "oci:${3-$WORK/layout}:multi" "docker://${1#http://}/$2"; }

# patiently COMMAND...: five tries in some half a minute, as whoever runs a pipeline gives it; skopeo itself tries nothing again
patiently() {
    local pause
    for pause in 1 3 6 12 0; do
        "$@" && return
        sleep $pause
    done
    return 1
}

# busy NUMBER: pushes, and pulls if the number is even, by the balancer until there is a file `enough`: layers that nobody has pushed yet each time,
# now and then one of several parts
busy() {
    local round=0 image fresh=$WORK/fresh-$1
    while [[ ! -e $WORK/enough ]]; do
        round=$((round + 1)) image=team/busy$1:$ROUNDS-$round
        rm -rf "$fresh"
        layout "$fresh" multi $((ROUNDS * 100000 + round * 10 + $1)) $((round % 3 == 1 ? 26000000 : 1000000))
        patiently push "$BALANCED" "$image" "$fresh" || { echo "the push of $image failed" >> "$WORK/lost"; return 1; }
        echo "$image@$(sha256_of_index "$fresh")" >> "$WORK/pushed"
        (($1 % 2)) || patiently pull_again "$image" "$WORK/busy-$1" || { echo "the pull of $image failed" >> "$WORK/lost"; return 1; }
    done 2>> "$WORK/busy.err"
}
sha256_of_index() { value 'it["manifests"][0]["digest"]' < "$1/index.json"; }
pull_again() {
    rm -rf "$2"
    copy --src-creds "reader:$(password_of reader)" "docker://${BALANCED#http://}/$1" "oci:$2:multi"
}

# bodies: how many requests with bytes of layers the balancer has passed on
bodies() { grep -cE '^balanced (PATCH|PUT) .*/blobs/uploads/' "$WORK/holdfast-balancer.log"; }

more_than() { [[ $(bodies) -gt $1 ]]; }

# while_busy COMMAND...: it is done while four clients push and pull, who all come to a good end
while_busy() {
    local each pids=() code before
    rm -f "$WORK/enough" "$WORK/lost"
    ROUNDS=$((${ROUNDS-0} + 1))
    : > "$WORK/pushed"
    : > "$WORK/busy.err"
    for each in 1 2 3 4; do busy $each & pids+=($!); done
    within 60 test -s "$WORK/pushed"
    before=$(bodies)
    within 60 more_than "$before" # somebody is in the middle of it
    before=$(bodies)
    "$@"
    code=$?
    sleep 1
    more_than "$before" || { echo "  no layers were pushed meanwhile"; code=1; }
    touch "$WORK/enough"
    wait "${pids[@]}"
    echo "  $(wc -l < "$WORK/pushed") pushes, $(wc -l < "$WORK/busy.err") lines of complaints"
    [[ ! -e $WORK/lost ]] || { cat "$WORK/lost" "$WORK/busy.err"; return 1; }
    return $code
}

# all_there: every image whose push was answered, byte for byte
all_there() {
    local image digest count=0
    while IFS=@ read -r image digest; do
        tree "$BALANCED/$image" > "$WORK/tree.there" && grep -q "^$digest " "$WORK/tree.there" || { echo "  $image"; return 1; }
        count=$((count + 1))
    done < "$WORK/pushed"
    echo "  $count images"
    [[ $count -gt 0 ]]
}
