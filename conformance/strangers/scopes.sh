# shellcheck shell=bash
# Requests for tokens as builders make them (kaniko and its kin: one token for all base images and the destination): the
# token has exactly what the rules give of it. The token is taken apart and its signature checked by openssl.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "many scopes in one request: what is granted, decoded from the JWT"

debian curl openssl python3
version "curl $(curl --version | awk 'NR == 1 { print $2 }')"
guarded "$WORK/data"
new_user builder && admin_ group add base && admin_ group join base builder || exit 1
admin_ grant add user:builder 'team/*' pull,push && admin_ grant add group:base 'base/**' pull || exit 1
admin_ grant add everyone 'shared' pull && admin_ grant add anonymous 'open/*' pull || exit 1
BUILDER=$(password_of builder)

# access: of the reply on standard input: each resource of the token with its sorted actions, in the token's order
access() {
    python3 -c '
import base64, json, sys
reply = json.load(sys.stdin)
assert reply["token"] == reply["access_token"]
part = reply["token"].split(".")[1]
claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
assert claims["aud"] in ("holdfast", ["holdfast"]) and claims["exp"] - claims["iat"] == reply["expires_in"], claims
granted = [a for a in claims["access"] if a["actions"]]
listed = " ".join(a["type"] + ":" + a["name"] + ":" + ",".join(sorted(a["actions"])) for a in granted)
told = " ".join(s.rpartition(":")[0] + ":" + ",".join(sorted(s.rpartition(":")[2].split(","))) for s in reply["scope"].split())
assert listed == told, (listed, told)
print(claims["sub"], listed or "nothing")'
}
# get NAME:PASSWORD SCOPE...: one parameter for each; post the same in a form
get() {
    local scope arguments=()
    for scope in "${@:2}"; do arguments+=(--data-urlencode "scope=$scope"); done
    curl -sS --get ${1:+--user "$1"} --data service=holdfast "${arguments[@]}" "$URL/token"
}
post() {
    local scopes="${*:2}"
    curl -sS --data grant_type=password --data service=holdfast --data client_id=kaniko \
        --data-urlencode "username=${1%%:*}" --data-urlencode "password=${1#*:}" --data-urlencode "scope=$scopes" "$URL/token"
}
all=(repository:team/app:pull,push repository:team/deep/er:pull,push repository:base/a/b:pull,push,delete
    repository:shared:pull repository:open/x:pull,push repository:secret/app:pull "repository(plugin):team/plugin:pull,push"
    registry:catalog:\* unknown:thing:pull repository:team/all:\* repository:team/port:pull)
given="repository:team/app:pull,push repository:base/a/b:pull repository:shared:pull repository:open/x:pull"
given+=" repository:team/plugin:pull,push registry:catalog:* repository:team/all:pull,push repository:team/port:pull"

check "a parameter for each" equal "$(get "builder:$BUILDER" "${all[@]}" | access)" "builder $given"
check "a list with spaces in one parameter" equal "$(get "builder:$BUILDER" "${all[*]}" | access)" "builder $given"
check "both" equal "$(get "builder:$BUILDER" "${all[*]:0:3}" "${all[@]:3}" | access)" "builder $given"
check "by POST" equal "$(post "builder:$BUILDER" "${all[@]}" | access)" "builder $given"
check "one resource in two scopes" equal \
    "$(get "builder:$BUILDER" repository:team/app:pull repository:shared:pull repository:team/app:push | access)" \
    "builder repository:team/app:pull,push repository:shared:pull"
check "nothing asked for" equal "$(get "builder:$BUILDER" | access)" "builder nothing"
check "nothing that is given" equal "$(get "builder:$BUILDER" repository:secret/app:pull,push | access)" "builder nothing"
check "nobody" equal "$(get "" "${all[@]}" | access)" " repository:open/x:pull registry:catalog:*"
every="repository:team/app:pull,push repository:team/deep/er:pull,push repository:base/a/b:delete,pull,push \
repository:shared:pull repository:open/x:pull,push repository:secret/app:pull repository:team/plugin:pull,push \
registry:catalog:*"
check "an administrator" equal "$(get "admin:$ADMIN_PASSWORD" "${all[@]:0:8}" | access)" "admin $every"

token() { get "builder:$BUILDER" "$@" | value 'it["token"]'; }
status() { curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" "${@:3}" "$URL/v2/$2"; }
layout "$WORK/layout"
must "an image" python3 - "$URL" "$LOGIN" "$WORK/layout" << 'PYTHON'
import base64, json, sys, urllib.request
url, login, layout = sys.argv[1:]
index = json.load(open(f"{layout}/index.json"))
digest = next(e for e in index["manifests"] if "single" in e["annotations"].values())["digest"]
read = lambda d: open(f"{layout}/blobs/{d.replace(':', '/')}", "rb").read()
manifest = json.loads(read(digest))
headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}
def send(method, path, body=b"", kind="application/octet-stream"):
    urllib.request.urlopen(urllib.request.Request(url + path, body, {**headers, "Content-Type": kind}, method=method))
for repository in ("team/app", "base/a/b", "secret/app"):
    for part in [manifest["config"], *manifest["layers"]]:
        send("POST", f"/v2/{repository}/blobs/uploads/?digest={part['digest']}", read(part["digest"]))
    send("PUT", f"/v2/{repository}/manifests/1", read(digest), manifest["mediaType"])
PYTHON
wide=$(token "${all[@]}")
check "one token opens all that it names" equal \
    "$(status "$wide" team/app/manifests/1) $(status "$wide" base/a/b/manifests/1) $(status "$wide" team/new/blobs/uploads/ -X POST)" \
    "200 200 401"
check "and pushes where it may" equal "$(status "$wide" team/app/blobs/uploads/ -X POST)" 202
check "but not where it may only pull" equal "$(status "$wide" base/a/b/blobs/uploads/ -X POST)" 403
check "nor what it may not see" equal "$(status "$wide" secret/app/manifests/1)" 403
narrow=$(token repository:base/a/b:pull)
check "a token for one does not open another" equal "$(status "$narrow" base/a/b/manifests/1) $(status "$narrow" team/app/manifests/1)" \
    "200 401"
check "a token with its last letter changed opens nothing" equal \
    "$(status "${wide:0:-6}$(tr 'A-Za-z' 'N-ZA-Mn-za-m' <<< "${wide: -6}")" team/app/manifests/1)" 401

# the published key verifies it, by another program's hand
curl -fsS "$URL/.well-known/jwks.json" > "$WORK/jwks.json"
verified() {
    python3 - "$WORK" "$1" << 'PYTHON' && openssl dgst -sha256 -verify "$WORK/key.der" -keyform DER -signature "$WORK/signature" "$WORK/signed"
import base64, json, sys
folder, token = sys.argv[1:]
read = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
head, body, signature = token.split(".")
key = next(k for k in json.load(open(f"{folder}/jwks.json"))["keys"] if k["kid"] == json.loads(read(head))["kid"])
assert (key["kty"], key["crv"], json.loads(read(head))["alg"]) == ("EC", "P-256", "ES256"), key
number = lambda raw: b"\x02" + bytes([len(raw := raw.lstrip(b"\0")) + (raw[0] >> 7)]) + b"\0" * (raw[0] >> 7) + raw
pair = read(signature)
pair = number(pair[:32]) + number(pair[32:])
prefix = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
for name, data in {"key.der": prefix + read(key["x"]) + read(key["y"]), "signed": f"{head}.{body}".encode(),
                   "signature": b"\x30" + bytes([len(pair)]) + pair}.items():
    open(f"{folder}/{name}", "wb").write(data)
PYTHON
}
check "openssl verifies it with the published key" verified "$wide"

code() { curl -sS -o "$WORK/said" -w '%{http_code} %{content_type}' "$@"; }
many() { for ((n = 0; n < $1; n++)); do printf 'repository:team/app%d:pull ' "$n"; done; }
check "sixty scopes are answered" equal "$(get "builder:$BUILDER" "$(many 60)" | access | wc -w)" 61
check "more than fit into a header are refused, as JSON" equal "$(code --get --user "builder:$BUILDER" \
    --data-urlencode "scope=$(many 100)" "$URL/token")" "400 application/json"
check "and more than a hundred, too" equal "$(code --get --user "builder:$BUILDER" --data-urlencode "scope=$(many 101)" "$URL/token")" \
    "400 application/json"
check "what is no scope is refused, as JSON" equal "$(code --user "builder:$BUILDER" "$URL/token?scope=repository:team/app")" \
    "400 application/json"
check "a wrong password is refused, as JSON" equal "$(code --user builder:wrong "$URL/token?scope=repository:open/x:pull")" \
    "401 application/json"
check "the server ends well on SIGTERM" stop holdfast
