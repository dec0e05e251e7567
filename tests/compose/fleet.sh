#!/bin/sh
# A client of envoy/fleet/docker-compose.yaml: shows tokens to two gates, stops Redis, and looks at how the containers run.
# Prints a line for each thing that it tries and ends with 1 when one of them is not as it should be.
set -u
a=http://127.0.0.1:${PORT:-10000} b=http://127.0.0.1:${OTHER_PORT:-10003}
issuer=http://127.0.0.1:${ISSUER_PORT:-10002}
passed=0 failed=0

# What runs has its secret. The file is not read without one.
export REPLAY_SECRET="${REPLAY_SECRET:-of the containers that run}"
compose() {
  docker compose -f "$(dirname "$0")/../../envoy/fleet/docker-compose.yaml" "$@"
}

# tell WHAT GOT WANTED
tell() {
  if [ "$2" = "$3" ]; then
    passed=$((passed + 1))
    echo "ok    $1"
  else
    failed=$((failed + 1))
    echo "FAIL  $1: $2 instead of $3"
  fi
}

token() {
  curl -s -u demo:demo-secret -d grant_type=client_credentials -d scope=orders:read "$issuer/token" |
    sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'
}

# pay GATE TOKEN: the status of a request for which a token is good once
pay() {
  curl -s -o /dev/null -w '%{http_code}' -X POST -H "Authorization: Bearer $2" "$1/payments"
}

# passes: whether new tokens pass, within 20 seconds
passes() {
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    if [ "$(pay "$a" "$(token)")" = 200 ] && [ "$(pay "$b" "$(token)")" = 200 ]; then echo yes; return; fi
    sleep 1
  done
  echo no
}

first=$(token) second=$(token)
tell 'a token passes' "$(pay "$a" "$first")" 200
tell 'a token passes once: 401' "$(pay "$a" "$first")" 401
tell 'what one gate let pass, the other refuses: 401' "$(pay "$b" "$first")" 401
tell 'another token passes there' "$(pay "$b" "$second")" 200
tell 'and not here any more: 401' "$(pay "$a" "$second")" 401
tell 'where it is not asked, a used token passes' "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $first" "$b/")" 200

third=$(token)
tell 'a token passes before Redis stops' "$(pay "$a" "$third")" 200
compose kill -s KILL redis >/dev/null 2>&1
tell 'without Redis nothing passes: 503' "$(pay "$b" "$(token)")" 503
compose start redis >/dev/null 2>&1
tell 'with Redis tokens pass again' "$(passes)" yes
tell 'a Redis that was killed has forgotten nothing: 401' "$(pay "$b" "$third")" 401

tell 'Webdis lets nothing but SET through: 403' \
  "$(compose exec -T webdis-a wget -q -O - http://127.0.0.1:7379/GET/x 2>&1 | grep -o 403 | head -1)" 403
tell 'the network of the containers does not reach Webdis' \
  "$(compose exec -T upstream node -e "fetch('http://envoy-a:7379/').then(() => console.log('reached'), () => console.log('refused'))")" refused
tell 'nor Redis' \
  "$(compose exec -T upstream node -e "require('node:dns').lookup('redis', (error) => console.log(error ? 'unknown' : 'known'))")" unknown

for service in envoy-a envoy-b webdis-a webdis-b redis upstream issuer; do
  id=$(compose ps -q "$service")
  of() { docker inspect -f "$1" "$id"; }
  tell "$service: healthy" "$(of '{{.State.Health.Status}}')" healthy
  tell "$service: its file system is read-only" "$(of '{{.HostConfig.ReadonlyRootfs}}')" true
  tell "$service: no capabilities" "$(of '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}')" '[ALL] []'
  tell "$service: no new privileges" "$(of '{{.HostConfig.SecurityOpt}}')" '[no-new-privileges:true]'
  user=$(compose exec -T "$service" sh -c 'id -u')
  tell "$service: not root" "$([ "${user:-0}" -gt 0 ] && echo yes)" yes
  case $service in
    envoy-a) ports="127.0.0.1:${PORT:-10000}" ;;
    envoy-b) ports="127.0.0.1:${OTHER_PORT:-10003}" ;;
    issuer) ports="127.0.0.1:${ISSUER_PORT:-10002}" ;;
    *) ports= ;;
  esac
  tell "$service: reached at ${ports:-no address}" \
    "$(of '{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}}:{{.HostPort}}{{end}}{{end}}')" "$ports"
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
