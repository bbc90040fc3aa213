#!/usr/bin/env bash
# docker.sh SUITE: every Docker test file on the Docker and Podman of that Debian suite, with Docker 29's defaults: the containerd image
# store, no API below 1.44. `docker.sh here`: on this machine's own. The counts go to PLATFORMS_RESULTS (default: the cache); those
# in test/platforms/results are what docs/platforms.md is made of.
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=$1
report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT
# In the root, or here: facts, then the tests.
run='export PATH="$1/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root CI=true; cd "$1"
  node tools/platform-facts.ts > "$2/facts.json"
  exec vitest run --project integration --reporter=default --reporter=json --outputFile.json="$2/tests.json" test/integration/docker'
status=0
if [ "$suite" = here ]; then
  bash -euc "$run" bash "$PWD" "$report" || status=$?
else
  root=$(test/platforms/root.sh "$suite")
  DOCKER_MIN_API_VERSION=1.44 BIND="$PWD $report:/report" test/platforms/enter.sh "$root" bash -euc "$run" bash "$PWD" /report || status=$?
fi
node tools/run.cjs tools/platform-result.ts "$suite" "$report"
exit "$status"
