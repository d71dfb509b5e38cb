# shellcheck shell=bash
# The OCI distribution specification's own conformance program, at what will be version 1.2 (OCI_VERSION=dev), for sparse
# manifests, which leaves out no check, and with accounts over TLS; in the first configuration also as Holdfast comes, for
# each embedded engine. Demanded: nothing failed, nothing in error, nothing skipped.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# It wants Docker-Content-Digest of whoever sends the bytes in the end, which no bucket does.
WITHOUT_REDIRECT=yes

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

# conform WHAT FLOOR SPARSE: one run of the program against the server that was started last, with "${ACCESS[@]}" in its
# environment. FLOOR is a number of passed checks a little below what the pinned program makes: a run that stops early
# is no success.
conform() {
    local results=$WORK/results code=0 passed failed skipped disabled
    row "$1"
    (mkdir -p "$results" && cd "$results" && env OCI_REGISTRY="$HOST" "${ACCESS[@]}" OCI_VERSION=dev \
        OCI_DATA_SPARSE="$3" OCI_RESULTS_DIR="$results" OCI_REPO1=conformance/one OCI_REPO2=conformance/two \
        "$GO_PROGRAM" > "$WORK/program.txt" 2>&1) || code=$?
    check "the program ended well ($1)" equal "$code" 0
    if check "the program wrote its report ($1)" test -s "$results/junit.xml"; then
        read -r passed failed skipped disabled < <(counts "$results/junit.xml")
        echo "# $1: $passed passed, $failed failed or in error, $skipped skipped, $disabled not asked for"
        tally "$passed" "$failed" "$skipped"
        check "at least $2 checks passed ($1)" test "$passed" -ge "$2"
        [[ $3 == true ]] && check "no check was left out ($1)" equal "$disabled" 0
    fi
    rm -rf "$results"
    check "everything is where it should be ($1)" stands_there "$SERVED"
    [[ $CONFIGURATION != replicas ]] || check "the replicas shared the work ($1)" balanced
    check "the server ends well on SIGTERM ($1)" stop holdfast
}

ACCESS=(OCI_TLS=disabled)
if [[ $CONFIGURATION == folder+embedded ]]; then
    for engine in sled redb; do
        row "OCI conformance dev, metadata in $engine"
        check "the engine can be chosen ($engine)" grep -q "^metadata *$engine " <(HOLDFAST_METADATA_ENGINE=$engine "$HOLDFAST_BIN" check)
        holdfast "$WORK/data-$engine" HOLDFAST_METADATA_ENGINE=$engine
        conform "OCI conformance dev, metadata in $engine" 950 false
    done
fi
SPARSE=HOLDFAST_REGISTRY_ABSENT_CONTENT=accept
holdfast "$WORK/data-sparse" $SPARSE
conform "OCI conformance dev, sparse manifests accepted" 1000 true

# as somebody whose rights end with these two repositories
certificates
guarded "$WORK/data-accounts" "${TLS[@]}" $SPARSE
new_user official && admin_ grant add user:official 'conformance/*' pull,push,delete || exit 1
ACCESS=(OCI_TLS=enabled OCI_USERNAME=official OCI_PASSWORD="$(password_of official)")
conform "OCI conformance dev, sparse manifests accepted, with accounts and over TLS" 1000 true
