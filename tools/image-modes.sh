#!/bin/sh
# image-modes.sh FOLDER: who may read what in the image. FOLDER holds the image's root as it was copied from skel/.
# The modes of the checkout are meant, unless it was made with a umask that hides even our own scripts. What holds credentials by its
# name, its place, or because there is a private key in it, is root's alone, whatever its mode was: a registry's password in
# skel/root/.docker/config.json would be the tasks' as well.
set -e
cd "$1"
case $(stat -c %A init.sh) in
  *r??) chmod 755 . ;;
  *) chmod -R go+rX . ;;
esac
[ ! -d root ] || chmod -R go-rwx root
find . \( -path '*/.docker/*' -o -path '*/.ssh/*' -o -path '*/.gnupg/*' -o -path '*/.aws/*' -o -path '*/.azure/*' -o -path '*/.kube/*' \
  -o -path '*/gcloud/*' -o -name '.dockercfg' -o -name '.netrc' -o -name '.pgpass' -o -name '.my.cnf' -o -name '.htpasswd' -o -name '.npmrc' \
  -o -name '*.key' -o -name '*-key.pem' -o -name '*.p12' -o -name '*.pfx' -o -name '*.jks' -o -name '*.keystore' -o -name '*.keytab' \
  -o -iname '*.token' -o -iname '*credential*' -o -iname '*secret*' -o -iname '*password*' \) -type f -exec chmod go-rwx {} +
find . -type f -size -1024k -exec grep -lZ -e '-----BEGIN [A-Z ]*PRIVATE KEY' {} + | xargs -0r chmod go-rwx
