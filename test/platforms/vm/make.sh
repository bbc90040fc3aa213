#!/usr/bin/env bash
# make.sh: makes the virtual machine's kernel, RAM disk and image in the cache, and prints the folder. The root and the kernel are
# kept; the image is made anew with the project as it is (10 s).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../../.." && pwd)
root=$(EXTRA=qemu-system-x86,cpio "$here/../root.sh" trixie)
folder=$(dirname "$root")/vm
mkdir -p "$folder/ird/bin" "$folder/ird/lib"
if [ ! -e "$folder/vmlinuz" ]; then
  mkdir -p "$root/kernel"
  chroot "$root" bash -euc 'cd /kernel; apt-get update -qq
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/.*Depends: \(linux-image-[0-9].*\)/\1/p" | head -1)
    apt-get download -q "$package"; dpkg-deb -x "$package"_*.deb .' > "$folder/kernel.log" 2>&1
  version=$(ls "$root/kernel/usr/lib/modules")
  mkdir -p "$root/usr/lib/modules"
  cp -a "$root/kernel/usr/lib/modules/$version" "$root/usr/lib/modules/"
  chroot "$root" depmod "$version"
  xz -dc "$root/kernel/usr/lib/modules/$version/kernel/drivers/block/virtio_blk.ko.xz" > "$folder/ird/lib/virtio_blk.ko"
  cp "$root/bin/busybox" "$folder/ird/bin/"
  cp "$here/init" "$folder/ird/init"
  (cd "$folder/ird" && find . | busybox cpio -o -H newc 2> /dev/null | gzip -1) > "$folder/ird.gz"
  cp "$root/kernel/boot/vmlinuz-$version" "$folder/vmlinuz"
fi
rm -rf "$root/project"
mkdir -p "$root/project/bin"
# The tests run by vitest; what only builds, checks or browses stays out. node_modules itself is not named: whoever starts Vite beside this
# makes a folder in it, and tar fails for what changes.
cd "$project"
tar -c --exclude-from=- dist package.json tools src test node_modules/* << 'OUT' | tar -C "$root/project" -x
node_modules/@biomejs
node_modules/@bufbuild/buf*
node_modules/@typescript
node_modules/typescript
node_modules/playwright-core
node_modules/knip
node_modules/node-linux-*
OUT
cp -L "$project/node_modules/.bin/node" "$root/project/bin/"
cp "$here/vm-init" "$root/vm-init"
rm -f "$folder/vm.ext4"
mkfs.ext4 -q -F -d "$root" "$folder/vm.ext4" 3G > /dev/null
echo "$folder"
