#!/bin/sh
# image-root.sh BINARY DIR: lays out in DIR all that the image holds: the binary, the certificates that it trusts, a
# user, and the folder of its data. The Dockerfile and the project's own tests make the image from the same folder.
set -eu
binary=$1 dir=$2
mkdir -p "$dir/etc/ssl/certs" "$dir/tmp" "$dir/var/lib/holdfast"
cp "$binary" "$dir/holdfast"
chmod 755 "$dir/holdfast"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/ca-certificates.crt"
fi
echo 'holdfast:x:65532:65532:holdfast:/var/lib/holdfast:/sbin/nologin' > "$dir/etc/passwd"
echo 'holdfast:x:65532:' > "$dir/etc/group"
chmod 1777 "$dir/tmp"
chown -R 65532:65532 "$dir/var/lib/holdfast"
chmod 700 "$dir/var/lib/holdfast"
