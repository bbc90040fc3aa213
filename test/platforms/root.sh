#!/usr/bin/env bash
# root.sh SUITE: makes a root of that Debian suite with its own Docker and Podman, once, and prints where it is. Roots are kept
# outside the repository, for the next run: about a minute and 1 GB each. EXTRA: further packages, comma separated. A suite that debootstrap is too old to know is made as sid is.
set -euo pipefail
suite=$1
cache=${PLATFORMS_CACHE:-/var/tmp/mesos-slave-ci}
root=$cache/$suite
mkdir -p "$cache"
exec 9> "$cache/$suite.lock"
flock 9
packages=ca-certificates,iproute2,iptables,busybox-static,procps,docker.io,docker-cli,containerd,runc,docker-registry
packages+=,apache2-utils,openssl,podman,conmon,crun,zip,unzip,bzip2,xz-utils,util-linux,supervisor,perl-base,kmod,git,psmisc,debootstrap,docker-buildx${EXTRA:+,$EXTRA}
if [ ! -d "$root" ]; then
  mirror=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources 2> /dev/null | head -1)
  scripts=/usr/share/debootstrap/scripts
  rm -rf "$root.new"
  debootstrap --variant=minbase --include="$packages" "$suite" "$root.new" "${mirror:-http://deb.debian.org/debian}" \
    "$scripts/$([ -e "$scripts/$suite" ] && echo "$suite" || echo sid)" > "$cache/$suite.log" 2>&1 || {
    tail -20 "$cache/$suite.log" >&2
    exit 1
  }
  mkdir -p "$root.new/etc/docker"
  # What Docker 29 has by default: the containerd image store.
  echo '{"features":{"containerd-snapshotter":true}}' > "$root.new/etc/docker/daemon.json"
  echo "$packages" > "$root.new/packages"
  mv "$root.new" "$root"
fi
# One that was made before gets what is new; the mirror may be behind.
if [ "$(cat "$root/packages" 2> /dev/null)" != "$packages" ]; then
  chroot "$root" sh -euc 'apt-get update -qq -o Acquire::Check-Valid-Until=false; DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qq -y --no-install-recommends "$@"' \
    sh ${packages//,/ } >> "$cache/$suite.log" 2>&1
  echo "$packages" > "$root/packages"
fi
echo "$root"
