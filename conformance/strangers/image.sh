# shellcheck shell=bash
# The container image: a static program on an empty image, built with the last stage of ./Dockerfile by a docker engine,
# run by it as people are told to run it, and pushed to and pulled from.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
row "the image: static, small, not root"

repo=$(cd "$strangers/../.." && pwd)
debian curl binutils util-linux
must "a docker engine runs on a socket of its own" docker_engine
version "docker $(docker_ version -f '{{.Server.Version}}')"

# the first stage, without its compiler image, which cannot be had here
target=$(uname -m)-unknown-linux-gnu
must "a static build" env -C "$repo" RUSTFLAGS="-C target-feature=+crt-static" CARGO_INCREMENTAL=0 \
    cargo build --locked --release --target "$target"
must "stripped" strip -o "$WORK/holdfast-static" "${CARGO_TARGET_DIR:-$repo/target}/$target/release/holdfast"
check "it needs no loader and no library" fails grep -qE 'INTERP|NEEDED' <(readelf -ldW "$WORK/holdfast-static")
must "the folder of the image" as_root sh "$repo/deploy/image-root.sh" "$WORK/holdfast-static" "$WORK/root"
mkdir "$WORK/context"
# a tar file, as the builder gives everything else to root
must "as a tar file" as_root tar -cf "$WORK/context/image.tar" -C "$WORK/root" .
sed -n '/^FROM scratch/,$ { s,^COPY --from=build /image/ /$,ADD image.tar /,; p }' "$repo/Dockerfile" > "$WORK/context/Dockerfile"
check "the last stage takes what the first has made, and nothing else" equal \
    "$(grep -nE '^(FROM|COPY|ADD|RUN) ' "$WORK/context/Dockerfile" | tr '\n' ' ')" "1:FROM scratch 2:ADD image.tar / "
must "the engine builds it" docker_ build --network=none -t holdfast:local "$WORK/context"

of_image() { docker_ image inspect -f "$1" holdfast:local; }
size=$(of_image '{{.Size}}')
echo "# the image has $size bytes"
check "it has less than 40 MB" test "$size" -lt 40000000
check "it does not run as root" equal "$(of_image '{{.Config.User}}')" 65532:65532
check "it looks after its own health" equal "$(of_image '{{json .Config.Healthcheck.Test}}')" '["CMD","/holdfast","health"]'
check "it has one volume and one port" equal "$(of_image '{{json .Config.Volumes}} {{json .Config.ExposedPorts}}')" \
    '{"/var/lib/holdfast":{}} {"5000/tcp":{}}'
docker_ create --name files holdfast:local && docker_ export files > "$WORK/files.tar" && docker_ rm files
check "it holds the program, certificates, a user, and nothing else" equal \
    "$(tar -tf "$WORK/files.tar" | grep -vE '/$|^(dev|proc|sys)|^\.dockerenv$|^etc/(hostname|hosts|resolv.conf|mtab)$' | sort | tr '\n' ' ')" \
    "etc/group etc/passwd etc/ssl/certs/ca-certificates.crt holdfast "
check "it tells its version" equal "$(docker_ run --rm --network=none holdfast:local --version)" "$("$HOLDFAST_BIN" --version)"
check "and its help without a network" docker_ run --rm --network=none holdfast:local serve --help

# ---- with its own settings, on a network of its own that nobody else is on
row "the image as it is: first start, health, restrictions of deploy/compose.yaml"
HARD=(--read-only --cap-drop ALL --security-opt no-new-privileges)
# healthy NAME: the engine's own health check has found it so
healthy() { equal "$(docker_ inspect -f '{{.State.Health.Status}}' "$1")" healthy; }
in_container() { docker_ exec "$1" /holdfast "${@:2}"; }
must "it starts" docker_ run -d --name alone --network=none "${HARD[@]}" -v alone:/var/lib/holdfast holdfast:local
check "it becomes healthy" within 60 healthy alone
pid=$(docker_ inspect -f '{{.State.Pid}}' alone)
inside() { as_root nsenter --net --target "$pid" curl -sS -o /dev/null -w '%{http_code}' "$@"; }
check "it runs as its user" equal "$(stat -c %u:%g "/proc/$pid")" 65532:65532
check "it listens on port 5000" equal "$(inside http://127.0.0.1:5000/v2/)" 401
password=$(in_container alone initial-password)
check "the first password is told to its owner" equal "$(inside -u "admin:$password" http://127.0.0.1:5000/v2/)" 200
check "and to no log" fails grep -qF "$password" <(docker_ logs alone 2>&1)
check "a user by the command in the container" grep -q '^alice ' <(in_container alone user add alice && in_container alone user list)
check "SIGTERM ends it well" docker_ stop -t 30 alone
check "with status 0" equal "$(docker_ inspect -f '{{.State.ExitCode}}' alone)" 0
must "it starts again" docker_ start alone
check "and is healthy again" within 60 healthy alone
check "it still knows alice" grep -q '^alice ' <(in_container alone user list)
docker_ rm -f alone

# ---- on this machine's loopback address
row "login, push and pull through the container"
printf '%s' "$ADMIN_PASSWORD" > "$WORK/password" && chmod 444 "$WORK/password"
must "it starts" docker_ run -d --name holdfast --network=host "${HARD[@]}" -v data:/var/lib/holdfast \
    -v "$WORK/password:/run/password:ro" -e HOLDFAST_ADMIN_PASSWORD_FILE=/run/password \
    -e HOLDFAST_SERVER_LISTEN=127.0.0.1:0 holdfast:local
listening() { docker_ logs holdfast 2>&1 | grep -oE -m1 'listening on http://127\.0\.0\.1:[0-9]+'; }
must "it listens" within 60 listening
URL=$(listening) && URL=${URL#listening on } HOST=${URL#http://} LOGIN=admin:$ADMIN_PASSWORD
check "it becomes healthy" within 60 healthy holdfast
head -c 3000000 /dev/urandom > "$WORK/context/some.bin"
printf 'FROM holdfast:local\nCOPY some.bin /some.bin\n' > "$WORK/context/Dockerfile"
must "an image to push" docker_ build --network=none -t built "$WORK/context"
check "a wrong password is refused" refused login admin admin wrong-password
must "login with the password of the file" login admin admin "$ADMIN_PASSWORD"
must "push" push admin team/app:1
check "every object hashes to its digest" tree "$URL/team/app:1"
must "remove locally" docker_ rmi "$(here)/team/app:1"
must "pull" as admin pull "$(here)/team/app:1"
check "the pulled is the built" equal "$(docker_ image inspect -f '{{.Id}}' "$(here)/team/app:1")" \
    "$(docker_ image inspect -f '{{.Id}}' built)"
check "what is pushed is listed in the container" equal "$(in_container holdfast ls)" team/app
check "without a login nothing is pulled" refused as nobody pull "$(here)/team/app:1"
must "it is stopped" docker_ stop -t 30 holdfast
must "a new container with the same volume" docker_ run -d --name next --network=host "${HARD[@]}" -v data:/var/lib/holdfast \
    -e HOLDFAST_SERVER_LISTEN="$HOST" holdfast:local
check "is ready" within 60 curl -fsS "$URL/readyz"
check "the login goes on" as admin pull "$(here)/team/app:1"
check "and all is there" tree "$URL/team/app:1"
check "SIGTERM ends it well" docker_ stop -t 30 next
check "with status 0" equal "$(docker_ inspect -f '{{.State.ExitCode}}' next)" 0
docker_ rm -f holdfast next
