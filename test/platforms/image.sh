#!/usr/bin/env bash
# image.sh SUITE: the image's end-to-end tests (built by BuildKit, the documented run command, stop, tasks in Docker) on the Docker of that
# Debian suite, with the containerd image store. Layers stay in the cache for the next run. It has this machine's network: building fetches.
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=$1
root=$(test/platforms/root.sh "$suite")
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT
layers=$(dirname "$root")/docker-$suite
mkdir -p "$layers"
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
status=0
NETWORK=host BIND="$PWD $report:/report $layers:/layers $npm:/usr/lib/node_modules/npm /etc/ssl/certs /etc/resolv.conf /etc/hosts" \
  test/platforms/enter.sh "$root" bash -euc '
  ln -sfn ../lib/node_modules/npm/bin/npm-cli.js /usr/bin/npm
  export PATH="$1/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root CI=true
  export MESOS_SLAVE_TEST_CACHE=/layers MESOS_SLAVE_TEST_BUILDER=buildkit
  cd "$1"
  node tools/platform-facts.ts > /report/facts.json
  exec vitest run --project end-to-end --reporter=default --reporter=json --outputFile.json=/report/tests.json test/end-to-end/image.test.ts
' bash "$PWD" || status=$?
node tools/run.cjs tools/platform-result.ts "image-$suite" "$report"
exit "$status"
