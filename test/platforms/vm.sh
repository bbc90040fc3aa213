#!/usr/bin/env bash
# vm.sh: what is to hold on cgroup v2 alone, in a virtual machine with today's kernel (an emulated processor: three minutes of a CPU). Needs `npm run
# build`. The figures go where docker.sh puts its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(test/platforms/vm/make.sh)
status=0
test/platforms/vm/run.sh "$folder" test/platforms/vm/job.sh || status=$?
node tools/run.cjs tools/platform-result.ts vm "$folder"
exit "$status"
