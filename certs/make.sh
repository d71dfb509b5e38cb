#!/usr/bin/env bash
# Throw-away certificates, to try TLS out without an authority that anybody else trusts.
#
#   certs/make.sh [--dir DIR] NAME...        certs/make.sh registry.example.com localhost 192.0.2.7
#
# Makes in DIR (this folder, unless said otherwise) an authority of its own, ca.crt and ca.key, once, and with it a
# certificate for the names and addresses, registry.crt and registry.key. Another run makes a new certificate by the
# same authority, so that clients need not be told again. Whoever has ca.key can pretend to be any server to the
# clients that trust ca.crt: keep it to yourself, or delete it.
set -euo pipefail

dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
names=()
while (($# > 0)); do
    case $1 in
        --dir) dir=${2:?--dir needs a folder}; shift ;;
        --dir=*) dir=${1#--dir=} ;;
        -h | --help) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit ;;
        -*) echo "certs/make.sh: $1 is no option; there is --dir DIR" >&2; exit 2 ;;
        *) names+=("$1") ;;
    esac
    shift
done
((${#names[@]} > 0)) || { echo "certs/make.sh: for which names? e.g. certs/make.sh registry.example.com localhost" >&2; exit 2; }
command -v openssl > /dev/null || { echo "certs/make.sh: openssl is not installed" >&2; exit 1; }

# what a certificate may be for; nothing that could mean something to openssl's configuration
alternative=()
for name in "${names[@]}"; do
    if [[ $name =~ ^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$ || $name == *:* && $name =~ ^[0-9A-Fa-f:.]+$ ]]; then
        alternative+=("IP:$name")
    elif [[ $name =~ ^(\*\.)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$ ]]; then
        alternative+=("DNS:$name")
    else
        echo "certs/make.sh: '$name' is neither a name nor an address" >&2
        exit 2
    fi
done
alternatives=$(IFS=,; echo "${alternative[*]}")

umask 077
mkdir -p "$dir"
cd "$dir"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
quietly() { "$@" 2> "$scratch/said" || { cat "$scratch/said" >&2; exit 1; }; }
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)

if [[ ! -e ca.key || ! -e ca.crt ]]; then
    cat > "$scratch/ca.cnf" << 'CNF'
[req]
distinguished_name = name
x509_extensions = ca
prompt = no
[name]
CN = Throw-away authority of certs/make.sh
[ca]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
CNF
    quietly openssl req -x509 "${key[@]}" -days 3650 -config "$scratch/ca.cnf" -keyout ca.key -out ca.crt
fi

cat > "$scratch/server.cnf" << CNF
[req]
distinguished_name = name
prompt = no
[name]
CN = registry
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $alternatives
CNF
quietly openssl req -new "${key[@]}" -config "$scratch/server.cnf" -keyout "$scratch/registry.key" -out "$scratch/registry.csr"
# 397 days are as much as any client takes
quietly openssl x509 -req -in "$scratch/registry.csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" \
    -days 397 -extfile "$scratch/server.cnf" -extensions server -out "$scratch/registry.crt"
quietly openssl verify -CAfile ca.crt "$scratch/registry.crt" > /dev/null
mv "$scratch/registry.key" registry.key
mv "$scratch/registry.crt" registry.crt
chmod 644 ca.crt registry.crt

first=${names[0]}
[[ $first == *:* ]] && first="[$first]"
cat << TOLD
Made for $(IFS=,; echo "${names[*]}" | sed 's/,/, /g'), in $PWD

Holdfast, in its configuration (it reads them again when they change):

    [server]
    listen = "0.0.0.0:5000"
    [server.tls]
    certificate = "$PWD/registry.crt"
    key = "$PWD/registry.key"

docker and podman, on each client machine (no restart needed):

    sudo mkdir -p /etc/docker/certs.d/$first:5000
    sudo cp ca.crt /etc/docker/certs.d/$first:5000/ca.crt
    (podman, skopeo, buildah: the same below /etc/containers/certs.d)

curl:      curl --cacert ca.crt https://$first:5000/v2/
Go tools:  SSL_CERT_FILE=$PWD/ca.crt crane catalog $first:5000
all of a Debian machine:  sudo cp ca.crt /usr/local/share/ca-certificates/holdfast.crt && sudo update-ca-certificates
TOLD
