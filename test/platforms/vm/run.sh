#!/usr/bin/env bash
# run.sh FOLDER JOB: boots a throw-away copy of the image in FOLDER (made by make.sh), runs JOB in it, and prints its console.
# QEMU is the root's own: bookworm's crashed node once. The clock counts instructions (2 ns each) while there is something to do, and
# passes as the host's otherwise: how busy the host is changes no share of a CPU and no number of seconds.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) folder=$1
cp "$2" "$folder/job.blk"
truncate -s %4096 "$folder/job.blk"
BIND="$folder:/vm" "$here/../enter.sh" "$folder/../trixie" timeout "${SECONDS_AT_MOST:-1500}" qemu-system-x86_64 \
  -accel tcg,tb-size=512 -icount shift=1 -cpu Nehalem -M q35 -m 2048 -smp 1 -nodefaults -no-reboot -display none -serial stdio \
  -kernel /vm/vmlinuz -initrd /vm/ird.gz -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all" \
  -drive file=/vm/vm.ext4,if=none,id=d,format=raw,snapshot=on -device virtio-blk-pci,drive=d \
  -drive file=/vm/job.blk,if=none,id=j,format=raw,readonly=on -device virtio-blk-pci,drive=j | tee "$folder/console"
grep -qa '^JOB-EXIT 0' "$folder/console"
