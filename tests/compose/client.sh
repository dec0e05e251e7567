#!/bin/sh
# A client of envoy/docker-compose.yaml: gets tokens, tries the gate, and looks at how the containers run. Prints a line
# for each thing that it tries and ends with 1 when one of them is not as it should be. Prometheus is tried if it is among
# COMPOSE_PROFILES.
set -u
gate=http://127.0.0.1:${PORT:-10000}
issuer=http://127.0.0.1:${ISSUER_PORT:-10002}
prometheus=http://127.0.0.1:${PROMETHEUS_PORT:-9090}
services='envoy upstream issuer'
case ",${COMPOSE_PROFILES:-}," in *,prometheus,*) services="$services prometheus" ;; esac
passed=0 failed=0

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

# token SCOPE: an access token by client credentials
token() {
  curl -s -u demo:demo-secret -d grant_type=client_credentials -d "scope=$1" "$issuer/token" |
    sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'
}

# status ARGUMENTS OF CURL: the status of the answer
status() {
  curl -s -o /dev/null -w '%{http_code}' "$@"
}

reader=$(token orders:read)
writer=$(token orders:write)
tell 'the issuer gives a token with three parts' "$(printf %s "$reader" | tr -cd . | wc -c | tr -d ' ')" 2
answer=$(curl -s -H "Authorization: Bearer $reader" -H 'X-Auth-Subject: admin' "$gate/orders/1")
case $answer in *'["x-auth-subject","demo"]'*) seen=yes ;; *) seen=$answer ;; esac
tell 'allowed: the upstream saw whose token it was, and not what the client claimed' "$seen" yes
case $answer in *'["x-auth-scope","orders:read"]'*) seen=yes ;; *) seen=$answer ;; esac
tell 'allowed: the upstream saw the scope' "$seen" yes
case $answer in *uthorization*) seen=yes ;; *) seen=no ;; esac
tell 'allowed: the upstream did not see the token' "$seen" no
tell 'missing scope: 403' "$(status -X POST -H "Authorization: Bearer $reader" "$gate/orders/1")" 403
tell 'the scope is there: 200' "$(status -X POST -H "Authorization: Bearer $writer" "$gate/orders/1")" 200
tell 'no token: 401' "$(status "$gate/orders/1")" 401
case $(curl -si "$gate/orders/1" | tr -d '\r') in *'WWW-Authenticate: Bearer realm="demo", scope="orders:read"'* | *'www-authenticate: Bearer realm="demo", scope="orders:read"'*) seen=yes ;; *) seen=no ;; esac
tell 'no token: the challenge names the scope' "$seen" yes
tell 'a token of another shape: 401' "$(status -H 'Authorization: Bearer a.b.c' "$gate/orders/1")" 401
other=$(printf %s "$reader" | sed 's/\.[^.]*$//').$(printf %s "$writer" | sed 's/.*\.//')
tell 'the signature of another token: 401' "$(status -H "Authorization: Bearer $other" "$gate/orders/1")" 401
tell 'a token in the query: 400, on a public route too' "$(status "$gate/healthz?access_token=$reader")" 400
tell 'a public route: 200' "$(status "$gate/healthz")" 200
tell 'a rule: 403' "$(status -H "Authorization: Bearer $reader" "$gate/reports")" 403
tell 'a rule: 200' "$(status -H "Authorization: Bearer $(token admin)" "$gate/reports")" 200

file=$(dirname "$0")/../../envoy/docker-compose.yaml
for service in $services; do
  id=$(docker compose -f "$file" ps -q "$service")
  of() { docker inspect -f "$1" "$id"; }
  tell "$service: healthy" "$(of '{{.State.Health.Status}}')" healthy
  tell "$service: its file system is read-only" "$(of '{{.HostConfig.ReadonlyRootfs}}')" true
  tell "$service: no capabilities" "$(of '{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}')" '[ALL] []'
  tell "$service: no new privileges" "$(of '{{.HostConfig.SecurityOpt}}')" '[no-new-privileges:true]'
  user=$(docker compose -f "$file" exec -T "$service" id -u)
  tell "$service: not root" "$([ "${user:-0}" -gt 0 ] && echo yes)" yes
  case $service in
    envoy) ports="127.0.0.1:${PORT:-10000}" ;;
    issuer) ports="127.0.0.1:${ISSUER_PORT:-10002}" ;;
    prometheus) ports="127.0.0.1:${PROMETHEUS_PORT:-9090}" ;;
    *) ports= ;;
  esac
  tell "$service: reached at ${ports:-no address}" \
    "$(of '{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}}:{{.HostPort}}{{end}}{{end}}')" "$ports"
done

# value QUERY: what Prometheus answers, once it has scraped it
value() {
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    found=$(curl -sG --data-urlencode "query=$1" "$prometheus/api/v1/query" | sed -n 's/.*"value":\[[^,]*,"\([^"]*\)".*/\1/p')
    if [ -n "$found" ]; then echo "$found" && return; fi
    sleep 1
  done
}

# from_prometheus URL: whether its container gets an answer that is no error
from_prometheus() {
  docker compose -f "$file" exec -T prometheus wget -q -O- "$1" >/dev/null 2>&1 && echo yes || echo no
}

case $services in *prometheus*)
  tell 'prometheus: it scrapes Envoy' "$(value 'up{job="envoy"} == 1')" 1
  tell 'prometheus: the refusals have their labels' \
    "$(value 'count(scopegate_refused{mode="enforce",issuer="none",reason="no_credential"})')" 1
  tell 'prometheus: it has the alerts' \
    "$(curl -s "$prometheus/api/v1/rules" | grep -o '"name":"Scopegate[A-Za-z]*"' | wc -l | tr -d ' ')" \
    "$(grep -c -- '- alert: ' "$(dirname "$file")/prometheus/alerts.yaml")"
  tell 'prometheus: it reaches the metrics' "$(from_prometheus http://envoy:9902/stats/prometheus)" yes
  tell 'prometheus: it reaches nothing else of the admin interface' "$(from_prometheus http://envoy:9902/config_dump)" no
  tell 'prometheus: it does not reach the admin interface itself' "$(from_prometheus http://envoy:9901/ready)" no
  ;;
esac

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
