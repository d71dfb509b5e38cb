# shellcheck shell=bash
# A fault at each step of each change, and clients while everything is restarted: conformance/faults, on a real PostgreSQL
# and a real S3 server, where a test that cannot run has failed. It takes some minutes; HOLDFAST_FAULTS_* make it longer.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

debian curl
row "nothing is lost, half there or left behind"
# Not minio, which tells of unfinished uploads only to who knows the names of their objects.
start_s3 versitygw
start_postgres
version "versitygw, PostgreSQL $(sql postgres 'SHOW server_version')"

cd "$strangers/../.." || exit 1
PATH=$POSTGRES_BIN:$PATH HOLDFAST_FAULTS=all HOLDFAST_TEST_SERVER=$HOLDFAST_BIN \
    HOLDFAST_TEST_POSTGRES=$POSTGRES/postgres HOLDFAST_TEST_S3=$S3/$S3_BUCKET \
    HOLDFAST_TEST_S3_KEY=$S3_KEY HOLDFAST_TEST_S3_SECRET=$S3_SECRET \
    cargo test --locked --test faults -- --show-output | tee "$WORK/faults.out"
while read -r test; do
    check "${test#*::}" grep -q "^test $test .*ok$" "$WORK/faults.out"
done < <(sed -nE 's/^test ([a-z_:]+) .*(ok|FAILED)$/\1/p' "$WORK/faults.out")
check "all tests ran" grep -qE '^test result: ok\. [1-9][0-9]* passed; 0 failed; 0 ignored; 0 measured; 0 filtered' "$WORK/faults.out"
