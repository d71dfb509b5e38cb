# shellcheck shell=bash
# A docker engine and its command line against accounts: logins, what the rules give and refuse, and what ends.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "login, push, pull, logout"

debian curl openssl
must "a docker engine runs on a socket of its own" docker_engine
version "docker $(docker_ version -f '{{.Server.Version}}')"
mkdir "$WORK/context" && head -c 300000 /dev/urandom > "$WORK/context/some.bin"
printf 'FROM scratch\nCOPY some.bin /\n' > "$WORK/context/Dockerfile"
must "an image" docker_ build --network=none -t built "$WORK/context"

# at_once COMMAND...: docker tries again for most of a minute after what it takes for a failure that may pass
at_once() {
    local began=$SECONDS
    "$@" && [[ $((SECONDS - began)) -le 20 ]]
}
pull() { as "$1" pull "$(here)/$2"; }
# kept HOME EXPRESSION: what docker's config.json has of this registry, as `it`
kept() { as_root cat "$WORK/home-$1/config.json" | value "(lambda it: $2)(it.get('auths', {}).get('$(here)', {}))"; }

guarded "$WORK/data"
must "the administrator logs in" login admin admin "$ADMIN_PASSWORD"
check "docker keeps a token that can be revoked" test -n "$(kept admin 'it.get("identitytoken", "")')"
check "and no password" equal "$(kept admin 'bytes.decode(__import__("base64").b64decode(it["auth"])).strip("\\0")')" "admin:"
check "the server lists it" equal "$(admin_ user tokens admin --json | value '[t["kind"] for t in it["entries"]]')" "['refresh']"
must "push" push admin team/app:1
must "remove locally" as admin rmi "$(here)/team/app:1"
must "pull" pull admin team/app:1
check "the pulled is the built" equal "$(docker_ image inspect -f '{{.Id}}' "$(here)/team/app:1")" \
    "$(docker_ image inspect -f '{{.Id}}' built)"
check "every object hashes to its digest" tree "$URL/team/app:1"
must "logout" as admin logout "$(here)"
check "nothing is kept" equal "$(kept admin 'it')" "{}"
check "after it a push is refused" refused push admin team/app:2
check "and a pull" refused pull admin team/app:1
check "which leaves no tag" equal "$(admin_ ls team/app)" 1
check "a wrong password is refused" refused login wrong admin 'the canary: grün'
check "and a name that is not there" refused login wrong nobody "$ADMIN_PASSWORD"
check "nothing of it is kept" fails as_root test -e "$WORK/home-wrong/config.json"

# everything: that the registry holds
everything() {
    local repository
    admin_ ls | while read -r repository; do admin_ ls --sort name "$repository" | sed "s,^,$repository:,"; done | tr '\n' ' '
}

# ---- what the issue asks for, as written
# policy HOW: the policy holds, given in one of two ways. A grant to everybody is for those who are logged in, too.
policy() {
    local name image
    row "the policy by $1: admin, readonly, someuser, anonymous"
    for name in admin readonly someuser; do
        must "$name logs in ($1)" login $name $name "$([[ $name == admin ]] && echo "$ADMIN_PASSWORD" || password_of $name)"
    done
    for image in hello-world:1 someuser/app:1 someuser/deep/er:1 team/app:1; do
        check "admin pushes $image ($1)" push admin $image
        check "admin pulls $image ($1)" pull admin $image
        check "readonly pulls $image ($1)" pull readonly $image
        check "readonly does not push $image ($1)" refused push readonly "${image%:*}:2"
        case $image in
            someuser/*)
                check "someuser pushes $image ($1)" push someuser "${image%:*}:3"
                check "someuser pulls $image ($1)" pull someuser $image
                ;;
            *) check "someuser does not push $image ($1)" at_once refused push someuser "${image%:*}:3" ;;
        esac
        check "nobody without a login pushes $image ($1)" refused push anonymous "${image%:*}:4"
        [[ $image == hello-world:* ]] && continue
        check "nobody without a login pulls $image ($1)" refused pull anonymous $image
    done
    check "someuser does not pull team/app ($1)" refused pull someuser team/app:1
    check "anybody pulls hello-world ($1)" pull anonymous hello-world:1
    check "what was refused left nothing ($1)" equal "$(everything)" \
        "hello-world:1 someuser/app:1 someuser/app:3 someuser/deep/er:1 someuser/deep/er:3 team/app:1 "
    for name in admin readonly someuser; do as $name logout "$(here)"; done
}

new_user readonly && new_user someuser
admin_ grant add user:readonly '**' pull
admin_ grant add user:someuser 'someuser/**' pull,push,delete
admin_ grant add anonymous hello-world pull
policy grants

row "what ends: disabled, another password, logout by an administrator"
must "readonly logs in" login readonly readonly "$(password_of readonly)"
must "and pulls" pull readonly team/app:1
must "an administrator ends the login" admin_ user logout readonly
check "the next pull is refused" refused pull readonly team/app:1
check "a new login works" login readonly readonly "$(password_of readonly)"
check "and pulls" pull readonly team/app:1
must "the account is disabled" admin_ user set readonly --disabled true
check "the next pull is refused" refused pull readonly team/app:1
check "and so is a login" refused login other readonly "$(password_of readonly)"
must "it is enabled" admin_ user set readonly --disabled false
must "and logs in" login readonly readonly "$(password_of readonly)"
must "the password is changed" admin_ user passwd readonly --new-password-stdin <<< 'another: password'
check "the next pull is refused" refused pull readonly team/app:1
check "the old password is refused" refused login other readonly "$(password_of readonly)"
check "the new one is taken" login readonly readonly 'another: password'
check "and pulls" pull readonly team/app:1
must "a grant is taken away" admin_ grant remove \
    "$(admin_ grant list --json | value 'next(g["id"] for g in it["entries"] if g["subject"].get("name") == "readonly")')"
check "the next pull is refused" refused pull readonly team/app:1

row "a personal access token and a service account's secret as passwords"
# token NAME PASSWORD FLAG...: a token that this user makes for themself
token() { printf '%s' "$2" | "$HOLDFAST_BIN" token new --server "$URL" --user "$1" --password-stdin "${@:3}"; }
pat=$(token someuser "$(password_of someuser)" --repository 'someuser/app' --actions pull)
must "a login with a token" login pat someuser "$pat"
check "which gives no longer-lived one" equal "$(kept pat '"identitytoken" in it')" False
check "it pulls what it is for" pull pat someuser/app:1
check "it does not push there" refused push pat someuser/app:5
check "it pulls nothing else of its owner's" refused pull pat someuser/deep/er:1
check "it is not somebody else's password" refused login wrong readonly "$pat"
must "it is revoked" admin_ user logout someuser --token \
    "$(admin_ user tokens someuser --json | value 'next(t["id"] for t in it["entries"] if t["kind"] == "personal")')"
check "the next pull is refused" refused pull pat someuser/app:1

must "a service account" admin_ service add ci
must "with a grant" admin_ grant add service:ci 'team/*' pull,push
first=$(admin_ service secret ci) && first_id=$(admin_ service secrets ci --json | value 'it["entries"][0]["id"]')
second=$(admin_ service secret ci)
must "a login with its secret" login ci ci "$first"
check "it pushes" push ci team/built:1
check "it pulls" pull ci team/built:1
check "it pushes nothing else" refused push ci someuser/app:6
must "a login with the second secret" login ci2 ci "$second"
must "the first is revoked" admin_ service revoke ci "$first_id"
check "who logged in with it is refused" refused pull ci team/built:1
check "the other goes on" pull ci2 team/built:1
check "the server ends well on SIGTERM" stop holdfast
check "no password and no secret is in the log" fails grep -aqF -e "$ADMIN_PASSWORD" -e "$pat" -e "$first" -e "$second" \
    -e "$(password_of someuser)" "$WORK"/holdfast*.log

cat > "$WORK/rules.toml" << 'TOML'
[[acl]]
match = { account = "readonly" }
actions = ["pull"]

[[acl]]
match = { account = "someuser", name = "someuser/**" }
actions = ["*"]

[[acl]]
match = { account = "", name = "hello-world" }
actions = ["pull"]
TOML
guarded "$WORK/ruled" HOLDFAST_CONFIG="$WORK/rules.toml"
new_user readonly && new_user someuser
policy rules
check "a rule is explained" grep -q '^denied: ' <(admin_ acl explain readonly push team/app)
check "the server ends well on SIGTERM" stop holdfast
