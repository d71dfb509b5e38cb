# shellcheck shell=bash
# The servers that Holdfast stands on or behind where one machine is not enough, each real, in the folder of the test: S3
# servers, PostgreSQL, a load balancer. Sourced after programs.sh, not run. It must not know any one stranger.

# ---- S3 -------------------------------------------------------------------------------------------------------------

S3_KEY=holdfast-conformance S3_SECRET='a secret / of + the bucket=' S3_REGION=us-east-1

# start_s3 minio | start_s3 versitygw: one of two servers that share no code, with one empty bucket: $S3, $S3_BUCKET, $S3_SERVER
start_s3() {
    local GO_PROGRAM # the stranger has one of its own
    S3_SERVER=$1 S3_BUCKET=images
    unset "${!AWS_@}" # what this machine knows of another S3
    debian curl
    mkdir -p "$WORK/s3" "$WORK/sidecar" || exit 1
    case $S3_SERVER in
        minio)
            # the last commit before its repository was closed; it has no later version
            go_program minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c github.com/minio/minio
            start_on_port s3 'API: http' env MINIO_ROOT_USER="$S3_KEY" MINIO_ROOT_PASSWORD="$S3_SECRET" MINIO_BROWSER=off \
                MINIO_UPDATE=off HOME="$WORK" "$GO_PROGRAM" server --address 127.0.0.1:@PORT@ "$WORK/s3" || exit 1
            ;;
        versitygw)
            go_program versitygw github.com/versity/versitygw v1.8.0 github.com/versity/versitygw/cmd/versitygw
            start_on_port s3 'listening on|127\.0\.0\.1:[0-9]+' "$GO_PROGRAM" --access "$S3_KEY" --secret "$S3_SECRET" \
                --region $S3_REGION --port 127.0.0.1:@PORT@ posix --sidecar "$WORK/sidecar" "$WORK/s3" || exit 1
            ;;
        *) echo "no S3 server is called '$S3_SERVER'" >&2 && exit 1 ;;
    esac
    S3=http://127.0.0.1:$PORT
    within 30 s3_ "$S3_BUCKET" -X PUT || { echo "$S3_SERVER makes no bucket" >&2; exit 1; }
}

# s3_ PATH [CURL-OPTION...]: one request of its owner
s3_() {
    curl -fsS --aws-sigv4 "aws:amz:$S3_REGION:s3" --user "$S3_KEY:$S3_SECRET" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
        "${@:2}" "$S3/$1"
}

# objects PREFIX: the names of at most a thousand objects that begin so
objects() {
    s3_ "$S3_BUCKET?list-type=2&prefix=${1//\//%2F}" | python3 -c '
import sys, xml.etree.ElementTree as tree
for each in tree.parse(sys.stdin).getroot().iter():
    if each.tag.endswith("}Key"): print(each.text)'
}

# ---- Azure ----------------------------------------------------------------------------------------------------------

# start_azure: an emulator of Azure's blob storage with the empty container `images`: $AZURE, $AZURE_ACCOUNT, $AZURE_KEY
start_azure() {
    command -v node npm > /dev/null || debian nodejs npm
    npm_program azurite-blob azurite 3.37.0
    # the account and the key that every such emulator has
    AZURE_ACCOUNT=devstoreaccount1
    AZURE_KEY=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
    start_on_port azure 'successfully listens' env -C "$WORK" node "$NPM_PROGRAM" --blobHost 127.0.0.1 --blobPort @PORT@ \
        --inMemoryPersistence --skipApiVersionCheck --disableTelemetry || exit 1
    AZURE=http://127.0.0.1:$PORT/$AZURE_ACCOUNT
    python3 - "$AZURE" "$AZURE_ACCOUNT" "$AZURE_KEY" << 'PYTHON' || exit 1
import base64, email.utils, hashlib, hmac, sys, urllib.request
url, account, key = sys.argv[1:]
date = email.utils.formatdate(usegmt=True)
said = f"PUT{chr(10) * 12}x-ms-date:{date}\nx-ms-version:2021-08-06\n/{account}/{account}/images\nrestype:container"
signed = base64.b64encode(hmac.digest(base64.b64decode(key), said.encode(), hashlib.sha256)).decode()
urllib.request.urlopen(urllib.request.Request(f"{url}/images?restype=container", method="PUT", headers={
    "x-ms-date": date, "x-ms-version": "2021-08-06", "Authorization": f"SharedKey {account}:{signed}"}))
PYTHON
}

# ---- PostgreSQL -----------------------------------------------------------------------------------------------------

# start_postgres: with nothing in it but its administrator: $POSTGRES is a URL without a database's name, and
# $POSTGRES_ADDRESS the address in it. Names are sorted as people do and not by their bytes, as that is how databases are
# often made.
start_postgres() {
    local folder=$WORK/postgres
    debian postgresql
    POSTGRES_BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1) POSTGRES_AS=()
    mkdir -p "$folder" && (umask 077 && echo "the administrator's" > "$folder/password") || exit 1
    if [[ $(id -u) = 0 ]]; then # which it refuses to run as
        POSTGRES_AS=(setpriv --reuid=postgres --regid=postgres --clear-groups)
        chmod 711 "$WORK" && chown -R postgres:postgres "$folder" || exit 1
    fi
    ${POSTGRES_AS[@]+"${POSTGRES_AS[@]}"} "$POSTGRES_BIN/initdb" --pgdata "$folder/data" --username holdfast \
        --pwfile "$folder/password" --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8 --locale-provider icu --icu-locale en-US \
        > "$WORK/initdb.log" || exit 1
    ENDED_BY[postgres]=INT # without waiting until its clients go
    postgres_on start_on_port @PORT@ || exit 1
    POSTGRES_ADDRESS=127.0.0.1:$PORT POSTGRES=postgres://holdfast:the%20administrator%27s@127.0.0.1:$PORT
}

# restart_postgres: it ends, with all its connections, and is there again at its address
restart_postgres() { stop postgres && postgres_on start "${POSTGRES_ADDRESS##*:}"; }

# postgres_on START PORT: runs it by that function
postgres_on() {
    "$1" postgres 'ready to accept connections' ${POSTGRES_AS[@]+"${POSTGRES_AS[@]}"} env LC_ALL=C.UTF-8 \
        "$POSTGRES_BIN/postgres" -D "$WORK/postgres/data" -c listen_addresses=127.0.0.1 -c "port=$2" \
        -c unix_socket_directories= -c max_connections=200
}

# sql DATABASE STATEMENT: what it answers, without a frame
sql() { "$POSTGRES_BIN/psql" --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 "$POSTGRES/$1" -c "$2"; }

# ---- a load balancer ------------------------------------------------------------------------------------------------

# start_balancer NAME SCHEME ADDRESS...: nginx, which picks one of the addresses at random for each request, also one that has
# just failed, keeps connections to all of them, and passes bodies on as they come: $PORT. With SCHEME https it ends TLS, with the
# certificate that `certificates` has made. Its log has the lines `balanced METHOD PATH STATUS ADDRESS...`.
start_balancer() {
    local name=$1 scheme=$2 tls="" user=""
    debian nginx-light
    [[ $scheme == https ]] && tls="ssl_certificate $WORK/certs/registry.crt; ssl_certificate_key $WORK/certs/registry.key;"
    [[ $(id -u) = 0 ]] && user="user root;"
    mkdir -p "$WORK/$name" || exit 1
    cat > "$WORK/$name/template" << NGINX
daemon off;
worker_processes 1;
$user
pid $WORK/$name/pid;
error_log stderr notice;
events { worker_connections 2000; }
http {
    log_format balanced 'balanced \$request_method \$uri \$status \$upstream_addr';
    access_log /dev/stdout balanced;
    client_body_temp_path $WORK/$name/body;
    proxy_temp_path $WORK/$name/proxy;
    fastcgi_temp_path $WORK/$name/fastcgi;
    uwsgi_temp_path $WORK/$name/uwsgi;
    scgi_temp_path $WORK/$name/scgi;
    upstream replicas {
        random;
$(printf '        server %s max_fails=0;\n' "${@:3}")
        keepalive 32;
    }
    server {
        listen 127.0.0.1:@LISTEN@$([[ -z $tls ]] || echo " ssl http2");
        $tls
        client_max_body_size 0;
        proxy_request_buffering off;
        proxy_buffering off;
        proxy_read_timeout 900s;
        proxy_send_timeout 900s;
        location / {
            proxy_pass http://replicas;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto \$scheme;
        }
    }
}
NGINX
    start_on_port "$name" 'start worker process [0-9]+' sh -c \
        'sed "s,@LISTEN@,$1," "$0/template" > "$0/nginx.conf" && exec nginx -p "$0" -c "$0/nginx.conf"' "$WORK/$name" @PORT@ \
        || exit 1
}

# ---- a bad line -----------------------------------------------------------------------------------------------------

# start_line NAME ADDRESS: a way to that address whose faults can be chosen: $LINE is where it begins
start_line() {
    local GO_PROGRAM
    if [[ -z ${LINES_API-} ]]; then
        go_program toxiproxy github.com/Shopify/toxiproxy/v2 v2.5.0 github.com/Shopify/toxiproxy/v2/cmd/server
        start_on_port lines 'Starting HTTP server' "$GO_PROGRAM" -host 127.0.0.1 -port @PORT@ || exit 1
        LINES_API=http://127.0.0.1:$PORT/proxies
        within 10 curl -fsS "$LINES_API" || exit 1
    fi
    LINE=$(curl -fsS "$LINES_API" -d "{\"name\": \"$1\", \"listen\": \"127.0.0.1:0\", \"upstream\": \"$2\"}" \
        | python3 -c 'import json, sys; print(json.load(sys.stdin)["listen"])') || exit 1
}

# line NAME cut | line NAME whole | line NAME slow MILLISECONDS: what it is like from now on; slow delays each answer
line() {
    case $2 in
        cut) curl -fsS -o /dev/null "$LINES_API/$1" -d '{"enabled": false}' ;;
        whole) curl -sS -o /dev/null -X DELETE "$LINES_API/$1/toxics/slow"; curl -fsS -o /dev/null "$LINES_API/$1" -d '{"enabled": true}' ;;
        slow) curl -fsS -o /dev/null "$LINES_API/$1/toxics" \
            -d "{\"name\": \"slow\", \"type\": \"latency\", \"attributes\": {\"latency\": $3}}" ;;
    esac
}
