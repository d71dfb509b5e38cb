# shellcheck shell=bash
# The OCI distribution specification's own conformance program, at what will be version 1.2 (OCI_VERSION=dev), for
# each metadata engine and for sparse manifests. Demanded: nothing failed, nothing in error, nothing skipped.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The specification that this project keeps to is commit 967efdc079b9 (2026-07-16). The Go module proxy does not hold
# that commit; this is the nearest later one that it does.
MODULE=github.com/opencontainers/distribution-spec/conformance
PINNED=v0.0.0-20260730175803-fee21197eb94

debian curl
go_program conformance $MODULE $PINNED $MODULE
version "commit ${PINNED##*-}"
equal "$(built_from "$GO_PROGRAM" $MODULE)" $PINNED || exit 1

# counts JUNIT: `passed failed skipped disabled`, and each failure's name and first words on stderr
counts() {
    python3 - "$1" << 'PYTHON'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
tests, failed, errors, skipped, disabled = (
    int(root.get(key) or 0) for key in ("tests", "failures", "errors", "skipped", "disabled"))
print(tests - failed - errors - skipped - disabled, failed + errors, skipped, disabled)
for case in root.iter("testcase"):
    if case.get("status") in ("failure", "error"):
        print(f"  {case.get('status')}: {case.get('name')}\n    {case.findtext('system-out') or ''}"[:900], file=sys.stderr)
PYTHON
}

# conform WHAT FLOOR ENGINE SPARSE CONTENT: one run of the program against a new server. FLOOR is a number of passed
# checks a little below what the pinned program makes: a run that stops early is no success.
conform() {
    local results=$WORK/results-$3-$4 code=0 passed failed skipped disabled
    row "$1"
    check "the engine can be chosen ($1)" grep -q "^metadata *$3 " <(HOLDFAST_METADATA_ENGINE=$3 "$HOLDFAST_BIN" check)
    holdfast "$WORK/data-$3-$4" HOLDFAST_METADATA_ENGINE="$3" HOLDFAST_REGISTRY_ABSENT_CONTENT="$5"
    (mkdir -p "$results" && cd "$results" && env OCI_REGISTRY="$HOST" OCI_TLS=disabled OCI_VERSION=dev \
        OCI_DATA_SPARSE="$4" OCI_RESULTS_DIR="$results" OCI_REPO1=conformance/one OCI_REPO2=conformance/two \
        "$GO_PROGRAM" > "$WORK/program-$3-$4.txt" 2>&1) || code=$?
    check "the program ended well ($1)" equal "$code" 0
    if check "the program wrote its report ($1)" test -s "$results/junit.xml"; then
        read -r passed failed skipped disabled < <(counts "$results/junit.xml")
        echo "# $1: $passed passed, $failed failed or in error, $skipped skipped, $disabled not asked for"
        tally "$passed" "$failed" "$skipped"
        check "at least $2 checks passed ($1)" test "$passed" -ge "$2"
        [[ $4 == true ]] && check "no check was left out ($1)" equal "$disabled" 0
    fi
    check "the server ends well on SIGTERM ($1)" stop holdfast
}

conform "OCI conformance dev, metadata in sled" 950 sled false refuse
conform "OCI conformance dev, metadata in redb" 950 redb false refuse
conform "OCI conformance dev, sparse manifests accepted" 1000 sled true accept
