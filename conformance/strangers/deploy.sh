# shellcheck shell=bash
# The files of deploy/, as the programs read them that they are written for: compose's own reader, HAProxy, kustomize,
# Kubernetes' schemas. And Holdfast itself reads the configurations in them, with the secrets that they name.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
deploy=$(cd "$strangers/../../deploy" && pwd)
docs=$deploy/../docs

debian python3 python3-venv haproxy shellcheck
PYTHON=$STRANGERS_CACHE/deploy-python-1/bin
[[ -x $PYTHON/kubernetes-validate ]] || {
    rm -rf "${PYTHON%/bin}"
    python3 -m venv "${PYTHON%/bin}" && "$PYTHON/pip" install --quiet kubernetes-validate==1.37.0 || exit 1
}
COMPOSE_MODULE=github.com/compose-spec/compose-go/v2
go_program compose-go $COMPOSE_MODULE v2.16.2 $COMPOSE_MODULE/cmd
COMPOSE=$GO_PROGRAM
KUSTOMIZE_MODULE=sigs.k8s.io/kustomize/kustomize/v5
go_program kustomize $KUSTOMIZE_MODULE v5.8.1 $KUSTOMIZE_MODULE
KUSTOMIZE=$GO_PROGRAM
version "compose-go $(built_from "$COMPOSE" $COMPOSE_MODULE), kustomize v5.8.1, Kubernetes' schemas of 1.30 and 1.37"
deployed() { "$PYTHON/python" "$strangers/deployed.py" "$@"; }
# complaints TASK FILE: none, and the words if there are some
complaints() { deployed "$@" | sed 's/^/  /' && return "${PIPESTATUS[0]}"; }
# understood ENVIRONMENT CONFIG: what that container is told makes sense to Holdfast, and names a bucket and a database
understood() {
    local told variables
    mapfile -t variables < "$1"
    told=$(env "${variables[@]}" "$HOLDFAST_BIN" check --config "$2" 2>&1) || { echo "$told"; return 1; }
    echo "$told"
    grep -q '^images  *the bucket ' <<< "$told" && grep -q '^metadata  *PostgreSQL ' <<< "$told"
}

row "secrets of one's own"
check "the scripts are clean" shellcheck "$deploy"/*.sh
must "they are made" "$deploy/make-secrets.sh" "$WORK/secrets"
before=$(cat "$WORK/secrets"/*)
check "another run changes nothing" equal "$("$deploy/make-secrets.sh" "$WORK/secrets" && cat "$WORK/secrets"/*)" "$before"
check "another place has others" fails equal "$("$deploy/make-secrets.sh" "$WORK/other" && cat "$WORK/other"/*)" "$before"
check "their folder is its owner's alone" equal "$(stat -c %a "$WORK/secrets")" 700
check "and is never committed" git -C "$deploy" check-ignore -q secrets/admin-password
check "nor sent to a builder" grep -qx deploy/secrets "$deploy/../.dockerignore"

row "compose: one container, and three replicas"
for file in compose.yaml compose-replicas.yaml; do
    check "$file is one to compose" env -C "$deploy" "$COMPOSE" "$file"
    check "and surprises nobody" complaints compose "$deploy/$file"
done
# secrets that compose mounts, and those that the script makes
check "each secret is made" equal "$(sed -n 's,^    file: ./secrets/,,p' "$deploy/compose-replicas.yaml" | sort)" "$(ls "$WORK/secrets")"
check "the balancer's configuration is one to HAProxy" haproxy -c -f "$deploy/replicas/haproxy.cfg"
# the same configuration, with addresses of this machine: one replica that is there, and one that is not
holdfast "$WORK/data"
sed -e "s,bind :5000,bind unix@$WORK/balancer," -e 's, resolvers docker init-addr none,,' \
    -e "s,server-template holdfast 10 holdfast:5000,server there $HOST\n    server absent 127.0.0.1:1," \
    "$deploy/replicas/haproxy.cfg" > "$WORK/haproxy.cfg"
start haproxy 'replicas/absent is DOWN' haproxy -db -f "$WORK/haproxy.cfg" || exit 1
through() { curl -fsS --unix-socket "$WORK/balancer" "${@:2}" "http://registry.test$1"; }
head -c 50000000 /dev/urandom > "$WORK/blob"
digest=$(sha256 < "$WORK/blob")
place=$(through /v2/team/app/blobs/uploads/ -X POST -D - -o "$WORK/none" | tr -d '\r' | sed -n 's/^location: //Ip')
check "a push passes through it" through "$place" -X PATCH -H 'Content-Type: application/octet-stream' -T "$WORK/blob"
check "to its end" through "$place?digest=$digest" -X PUT
check "and comes back whole" equal "$(through "/v2/team/app/blobs/$digest" | sha256)" "$digest"
stop holdfast
check "without a replica it says so" said 503 through /v2/
stop haproxy
deployed environment "$deploy/compose-replicas.yaml" "$WORK/secrets" > "$WORK/compose.env"
check "Holdfast understands the replicas' configuration" understood "$WORK/compose.env" "$deploy/replicas/holdfast.toml"

row "Kubernetes: manifests of replicas, and of the one of the docs"
must "kustomize puts them together" "$KUSTOMIZE" build "$deploy/kubernetes" -o "$WORK/manifests.yaml"
# as the docs say that one makes them one's own, from the folder here instead of from a repository
mkdir -p "$WORK/blocks" "$WORK/own" && cp "$deploy/kubernetes/config.toml" "$WORK/own"
sed -n '/^   ```yaml$/,/^   ```$/ { /```/d; s/^   //; p }' "$docs/kubernetes.md" \
    | sed "s,https://.*ref=.*,$(realpath --relative-to="$WORK/own" "$deploy/kubernetes")," > "$WORK/own/kustomization.yaml"
must "and with what the docs say to change" "$KUSTOMIZE" build "$WORK/own" -o "$WORK/own.yaml"
check "the image is the one that was chosen" grep -q 'image: mirror.example.com/holdfast:0.1' "$WORK/own.yaml"
check "the docs have manifests" test "$(deployed blocks "$docs/kubernetes.md" "$WORK/blocks")" -gt 0
for file in "$WORK/manifests.yaml" "$WORK/own.yaml" "$deploy"/kubernetes/{ingress,autoscaler}.yaml "$WORK"/blocks/*.yaml; do
    for release in 1.30.0 1.37.0; do
        check "${file##*/} fits to Kubernetes $release" "$PYTHON/kubernetes-validate" --strict --quiet -k "$release" "$file"
    done
    check "${file##*/} holds together" complaints manifests "$file"
done
deployed environment "$WORK/manifests.yaml" "$WORK/secrets" > "$WORK/manifests.env"
check "Holdfast understands their configuration" understood "$WORK/manifests.env" "$deploy/kubernetes/config.toml"
