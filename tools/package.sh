#!/bin/sh
# The Debian packages, built from what is committed or about to be, into a folder; lintian has the last
# word: package.sh FOLDER
set -eu
folder=$1
rm -rf "$folder"
mkdir -p "$folder/proctor"
git ls-files -zco --exclude-standard | grep -zv "^$folder/" | xargs -0 cp -P --parents -t "$folder/proctor"
(cd "$folder/proctor" && dpkg-buildpackage -b -us -uc >../build.log 2>&1) || {
    tail -40 "$folder/build.log"
    exit 1
}
lintian --allow-root --fail-on error,warning "$folder"/proctor_*.changes
rm -rf "$folder/proctor"
ls "$folder"/*.deb
