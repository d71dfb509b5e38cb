# shellcheck shell=bash
# Installing programs, and running them in the background until the script that sources this ends. Sourced, not run.
set -uo pipefail

: "${STRANGERS_CACHE:?}" "${STRANGER:?}"
WORK=$(mktemp -d -t "holdfast-$STRANGER-XXXXXX")
FAILED=""
declare -A PIDS=() ENDED_BY=() # the signal that ends a program, if that is not TERM

# ---- installing -----------------------------------------------------------------------------------------------------

SUDO=()
[[ $(id -u) = 0 ]] || SUDO=(sudo -n)
as_root() { ${SUDO[@]+"${SUDO[@]}"} "$@"; }

# debian PACKAGE...: installs what is absent, without starting any service
debian() {
    local absent=() package policy=/usr/sbin/policy-rc.d ours="" code=0
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null) == installed ]] || absent+=("$package")
    done
    [[ ${#absent[@]} = 0 ]] && return
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null && as_root chmod 755 "$policy" && ours=yes
    fi
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300)
    as_root "${apt[@]}" install --no-install-recommends "${absent[@]}" || {
        as_root "${apt[@]}" update && as_root "${apt[@]}" install --no-install-recommends "${absent[@]}"
    } || code=$?
    [[ -n $ours ]] && as_root rm -f "$policy"
    [[ $code = 0 ]] || { echo "cannot install ${absent[*]}" >&2; exit 1; }
}

# go_program NAME MODULE VERSION PACKAGE: builds a pinned Go program into the cache; its path is $GO_PROGRAM.
# Not `go install PACKAGE@VERSION`: that asks the proxy for the module's newest version too, and fails when it may not
# have that one. A scratch module that requires the pinned version asks for nothing else.
go_program() {
    local name=$1 module=$2 wanted=$3 package=$4 dir=$STRANGERS_CACHE/go/$1-$3
    GO_PROGRAM=$dir/$name
    [[ -x $GO_PROGRAM ]] && return
    local scratch=$WORK/build-$name
    mkdir -p "$scratch" "$dir"
    (cd "$scratch" && export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOWORK=off \
        && go mod init scratch && go mod edit -require="$module@$wanted" && go build -o "$GO_PROGRAM.new" "$package" \
        && mv "$GO_PROGRAM.new" "$GO_PROGRAM") || { echo "cannot build $package $wanted" >&2; exit 1; }
}

# built_from PROGRAM MODULE: the module version that the Go binary itself says it was built from
built_from() { go version -m "$1" | awk -v module="$2" '($1 == "dep" || $1 == "mod") && $2 == module { print $3 }'; }

# npm_program NAME PACKAGE VERSION: installs a pinned npm package into the cache; its path is $NPM_PROGRAM
npm_program() {
    local dir=$STRANGERS_CACHE/npm/$2-$3
    NPM_PROGRAM=$dir/node_modules/.bin/$1
    [[ -e $dir/whole ]] && return
    mkdir -p "$dir" && npm install --no-fund --no-audit --ignore-scripts --prefix "$dir" "$2@$3" && touch "$dir/whole" \
        || { echo "cannot install $2 $3" >&2; exit 1; }
}

# ---- programs in the background -------------------------------------------------------------------------------------

# start NAME PATTERN COMMAND...: runs it, waits until its output has a line with PATTERN; the line's match is $SAID
start() {
    local name=$1 pattern=$2 tries
    shift 2
    echo "# start $name: $*"
    : > "$WORK/$name.log" # here, or an earlier start's line could be read before the child has emptied it
    "$@" >> "$WORK/$name.log" 2>&1 < /dev/null & # a program, never a function: its pid must be the one that is stopped
    PIDS[$name]=$!
    for ((tries = 0; tries < 600; tries++)); do
        SAID=$(grep -aoE -m1 "$pattern" "$WORK/$name.log" | head -n 1) && [[ -n $SAID ]] && return
        kill -0 "${PIDS[$name]}" 2> /dev/null || break
        sleep 0.1
    done
    echo "$name did not start" >&2
    tail -n 30 "$WORK/$name.log" >&2
    return 1
}

# start_on_port NAME PATTERN COMMAND...: the same for a program that cannot ask the system for a port: @PORT@ in the
# command is one that was free a moment ago, and $PORT afterwards; somebody else may take it meanwhile, so it tries again
start_on_port() {
    local tries command
    for tries in 1 2 3; do
        PORT=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
        command=("${@:3}")
        start "$1" "$2" "${command[@]//@PORT@/$PORT}" && return
        echo "that was try $tries"
    done
    return 1
}

# start_as_root NAME PATTERN COMMAND...: the same for a daemon that wants root, in a mount namespace of its own, so that
# nothing it mounts is seen or left outside. It writes its own pid down, as sudo stands between it and this script.
start_as_root() {
    start "$1" "$2" ${SUDO[@]+"${SUDO[@]}"} \
        sh -c 'echo $$ > "$0"; exec unshare --mount --propagation private "$@"' "$WORK/$1.pid" "${@:3}"
}

# within SECONDS COMMAND...: it becomes true in that time
within() {
    local tries
    for ((tries = 0; tries < $1 * 5; tries++)); do
        "${@:2}" > /dev/null 2>&1 && return
        sleep 0.2
    done
    echo "  not within $1 s: ${*:2}"
    return 1
}

# stop NAME: it, and whatever was started as NAME-..: SIGTERM, at most 30 s, then SIGKILL; answers an exit status that is
# not 0, if there is one
stop() {
    local name code=0
    for name in "${!PIDS[@]}"; do
        [[ $name == "$1" || $name == "$1"-* ]] || continue
        end_ "$name" || code=$?
    done
    return "$code"
}
end_() {
    local pid=${PIDS[$1]} told tries
    unset "PIDS[$1]"
    told=$(cat "$WORK/$1.pid" 2> /dev/null || echo "$pid")
    as_root kill "-${ENDED_BY[$1]-TERM}" "$told" 2> /dev/null
    for ((tries = 0; tries < 300; tries++)); do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.1
    done
    as_root kill -KILL "$told" 2> /dev/null && echo "$1 had to be killed" >&2
    wait "$pid"
}

leave() {
    local code=$? name mount
    trap '' TERM INT
    stop holdfast # before whatever it stands on
    for name in "${!PIDS[@]}"; do end_ "$name"; done
    if [[ -n $FAILED || $code != 0 ]]; then
        for name in "$WORK"/*.log; do
            [[ -s $name ]] && { echo "--- the end of ${name##*/}"; tail -n 25 "$name" | cut -c -600; }
        done
    fi
    awk -v under="$WORK/" 'index($5, under) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do
        as_root umount -l "$mount"
    done
    as_root rm -rf --one-file-system "$WORK"
    exit "$code"
}
trap leave EXIT
trap 'exit 143' TERM INT
