#!/usr/bin/env bash
# enter.sh ROOT COMMAND…: runs COMMAND inside ROOT with mount, pid, net, ipc and uts namespaces of its own: bridges, rules and
# ports are private, and nothing survives it. BIND="/host/path[:/inside] …" adds bind mounts; NETWORK=host leaves it this machine's network.
set -euo pipefail
export R=$1 BIND=${BIND:-}
shift
net=--net
[ "${NETWORK:-}" != host ] || net=
exec unshare --mount --pid $net --ipc --uts --fork --kill-child --propagation private bash -euc '
mount --bind "$R" "$R"
cd "$R"
mkdir -p proc sys dev run tmp old
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p run/lock
for bind in $BIND; do
  from=${bind%%:*} to=${bind##*:}
  if [ -d "$from" ]; then mkdir -p ".$to"; else mkdir -p ".$(dirname "$to")"; touch ".$to"; fi
  mount --bind "$from" ".$to"
done
pivot_root . old
umount -l /old
ip link set lo up
cd /
exec "$@"' bash "$@"
