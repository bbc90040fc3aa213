#!/bin/bash
# The image's HEALTHCHECK: the agent answers /health, and the watchdog (when there is one) still hears from supervisord.
# Bash alone: 3 ms and no Node. init says in /run/health where the agent should answer, and the agent in /run/agent where it does.
root=${0%/opt/scripts/*}
fail() {
  echo "$1"
  exit 1
}
{ read -r host && read -r port && read -r interval && read -r scheme; } 2>/dev/null <"$root/run/health" ||
  fail "init has not finished"
{ read -r host && read -r port && read -r scheme; } 2>/dev/null <"$root/run/agent"

if [ "$interval" -gt 0 ]; then
  read -r seen _ 2>/dev/null <"$root/run/redpill.alive" || fail "the watchdog has not started"
  printf -v now '%(%s)T' -1
  [ $((now - seen)) -le $((interval * 2 + 10)) ] || fail "the watchdog has not heard from supervisord for $((now - seen)) s"
fi

{ exec 3<>"/dev/tcp/$host/$port"; } 2>/dev/null || fail "nothing listens on $host:$port"
if [ "$scheme" = tls ]; then
  echo "the agent listens on $host:$port (TLS, not asked further)"
  exit 0
fi
printf 'GET /health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$host" >&3
read -r -t 4 _ status _ <&3 || fail "the agent does not answer on $host:$port"
[ "$status" = 200 ] || fail "the agent answers with HTTP status $status"
echo "ok"
