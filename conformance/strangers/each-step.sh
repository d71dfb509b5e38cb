# shellcheck shell=bash
# A fault at each step of each change: conformance/faults, on a real PostgreSQL and a real S3 server.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

debian curl
row "conformance/faults"
# Not minio, which tells of unfinished uploads only to who knows the names of their objects.
start_s3 versitygw
start_postgres
version "versitygw, PostgreSQL $(sql postgres 'SHOW server_version')"

# faults: on these servers, where a test that cannot run has failed
faults() {
    (cd "$strangers/../.." && env PATH="$POSTGRES_BIN:$PATH" HOLDFAST_FAULTS=all HOLDFAST_TEST_POSTGRES="$POSTGRES/postgres" \
        HOLDFAST_TEST_S3="$S3/$S3_BUCKET" HOLDFAST_TEST_S3_KEY="$S3_KEY" HOLDFAST_TEST_S3_SECRET="$S3_SECRET" \
        "${FAULTS_COMMAND[@]}")
}
FAULTS_COMMAND=(cargo test --locked --test faults -- --show-output)
check "nothing is lost, half there or left behind" faults
