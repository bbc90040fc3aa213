#!/bin/bash
# PID 1 of the container, and the parent of everything under `npm start`. It decides nothing: the init program does, and
# supervisord runs as a child so that this shell can reap orphans, pass signals on and end with the right exit code.
# Every signal that asks for an end ends it; every other is for nobody here. As PID 1 it would be lost anyway, but below another
# init (docker run --init) it would kill this shell and leave the services to nobody.
stopped='' child='' repeater=''
trap stopped=1 TERM INT QUIT PWR RTMIN+3
others=(HUP USR1 USR2 PIPE ALRM VTALRM PROF IO STKFLT TSTP TTIN TTOU XCPU XFSZ RTMIN RTMAX)
for number in {1..2} {4..15}; do others+=("RTMIN+$number"); done
for number in {1..14}; do others+=("RTMAX-$number"); done
trap : "${others[@]}"
stop() {
  stopped=1
  [ -n "$child" ] || return 0
  kill -TERM "$child" 2>/dev/null
  # A signal that arrives while the child is between fork and exec is lost, so it is repeated until the child is gone.
  # The pause is a read that nothing answers: a sleep would be one more process to leave behind.
  [ -n "$repeater" ] && return 0
  (exec 3>&- 4<> <(:); while ! read -rt 2 -u 4 && kill -TERM "$child" 2>/dev/null; do :; done) &
  repeater=$!
}
trap stop TERM INT QUIT PWR RTMIN+3

# Everything lies below the folder of this file: / in the image, a private folder under `npm start`.
INIT_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
INIT_ROOT=${INIT_ROOT%/}
export INIT_ROOT
program=$INIT_ROOT/opt/mesos-slave/run

case ${1:-} in
  '') ;;
  doctor | init) exec "$program" "$@" ;;
  -*) exec "$program" init "$@" ;;
  *) exec "$@" ;;
esac

# wait ends early on a signal, so: until the child is really gone.
wait_for_child() {
  [ -z "$stopped" ] || stop
  # A signal that is handled as the child ends makes bash lose the child's status. So these are ignored, which only the child itself would
  # inherit; it has begun.
  trap '' "${others[@]}"
  code=0
  while :; do
    wait "$child"
    code=$?
    kill -0 "$child" 2>/dev/null || break
  done
  # The signal may have come as the child ended: its status is still to be had.
  if [ "$code" -gt 128 ]; then
    wait "$child" 2>/dev/null
    local again=$?
    [ "$again" -eq 127 ] || code=$again
  fi
  [ -z "$repeater" ] || kill "$repeater" 2>/dev/null
  repeater=''
  trap : "${others[@]}"
}

# Where ENVIRONMENT_INIT leaves a PATH without them, these are still found.
supervisord=$(command -v supervisord) timeout=$(command -v timeout) printf=$(type -P printf) tail=$(command -v tail)

# One line of ours on the console; nobody may be reading it.
say() {
  printf -v line "[%(%Y-%m-%d %H:%M:%S)T][Init][$1] %s" -1 "$2"
  "$timeout" -s KILL 1 "$printf" '%s\n' "$line"
}

verdict=$INIT_ROOT/run/redpill.verdict
if ! mkdir -p "$INIT_ROOT/run" || [ ! -w "$INIT_ROOT/run" ]; then
  why="$INIT_ROOT/run is read-only: --tmpfs /run --tmpfs /tmp --tmpfs /etc/supervisor/conf.d --tmpfs /var/log/supervisor"
  [ "$EUID" -eq 0 ] || why="user $EUID may not write to $INIT_ROOT/run: the container needs root, leave --user out"
  say Error "$why" >&2
  exit 74
fi
rm -f "$verdict" "$INIT_ROOT"/run/{agent,redpill.cleanup,redpill.alive,supervisord.reloading}

# The settings come back through a file that has no name any more: they may hold secrets.
if ! settings=$(mktemp "$INIT_ROOT/run/settings.XXXXXX"); then
  say Error "no room in $INIT_ROOT/run: give it some (1 MB)" >&2
  exit 74
fi
exec 3<>"$settings"
rm -f "$settings"
"$program" init --boot &
child=$!
wait_for_child
child=''
[ -z "$stopped" ] || exit 0
[ "$code" -eq 0 ] || exit "$code"

# NAME=value is exported, a NAME alone is unset. What did not change is inherited untouched, whatever bytes it holds.
while IFS= read -r -d '' setting; do
  case $setting in
    *=*) export "${setting?}" ;;
    *) unset -v "$setting" ;;
  esac
done </proc/self/fd/3
exec 3>&-
cleanup=${INIT_CLEANUP-}
unset -v INIT_CLEANUP

# Outside the image supervisord sees its folder by a path that holds nothing: it would expand a percent sign in the real one, and
# a Unix socket's path ends after 107 bytes.
here=''
if [ -n "$INIT_ROOT" ]; then
  here=/proc/self/cwd
  cd "$INIT_ROOT" || exit 74
  export PYTHONPATH=$here/usr/lib/python3/dist-packages${PYTHONPATH:+:$PYTHONPATH}
  export PATH=$INIT_ROOT/usr/local/bin:$PATH
fi
"${supervisord:-supervisord}" -n -c "$here/etc/supervisor/supervisord.conf" &
child=$!
wait_for_child

# redpill runs the clean-up. When it was stopped before it could, or lost its supervisord, this does: who makes the marker runs it.
if [ -n "$cleanup" ] && (set -C && : >"$INIT_ROOT/run/redpill.cleanup") 2>/dev/null; then
  say Clean-up "$cleanup"
  # Through a file: the console must not hold it up.
  words=("$cleanup")
  [ -x "$cleanup" ] || words=("$BASH" "$cleanup")
  "$timeout" -s KILL 2.5 "${words[@]}" >"$INIT_ROOT/run/cleanup.log" 2>&1
  "$timeout" -s KILL 1 "$tail" -c 65536 "$INIT_ROOT/run/cleanup.log"
fi

# redpill's verdict first, then a stop that was asked for, then what supervisord says.
if [ -s "$verdict" ]; then
  read -r code reason <"$verdict"
  say Exit "$code: $reason"
  exit "$code"
fi
[ -z "$stopped" ] || exit 0
[ "$code" -eq 0 ] || say Exit "$code: supervisord ended by itself"
exit "$code"
