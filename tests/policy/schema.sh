#!/bin/sh
# schema.sh SOURCE: the maker of manifests for the fuzzers knows every key that docs/manifest.md tells.
# TAP.
cd "$1" || exit 1
echo 1..1
missing=$(sed -n '/^| key | default/,/^$/s/^| \(`[^|]*\) |.*/\1/p' docs/manifest.md | grep -o '`[a-z_]*`' | tr -d '`' | sort -u |
    while read -r key; do grep -q "{\"$key\", " tests/fuzz/maker.c || echo "# $key"; done)
if [ -z "$missing" ]; then echo "ok 1 - every key"; else
    echo "not ok 1 - every key"
    echo "$missing"
fi
