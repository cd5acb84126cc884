#!/bin/bash
# The manifest that docs/manifest.md begins with runs unchanged: manual.sh PROCTORD PROCTORCTL SOURCE
# Prints TAP.
. "$(dirname "$0")/proctord.sh"
example() { sed -n '/^```yaml$/,/^```$/p; /^```$/q' "$1/docs/manifest.md" | grep -v '^```'; }
begin "$1" "$2" < <(example "$3")
said() { proctorctl --no-legend list | awk '{ print $1, $2, $3 }'; }
both_ready() { [ "$(proctorctl --no-legend list | grep -c ' ready')" = 2 ]; }

until_true both_ready
check "it is checked" "2 children, no errors found" "$(example "$3" >"$folder/e.yaml" && proctorctl check "$folder/e.yaml" | tail -1)"
check "both are ready" yes "$(both_ready && echo yes || said)"
check "the ids are what it says" "shop/db shop/web" "$(said | awk '{ print $1 }' | xargs)"
check "stop: what is said above holds, and SIGINT besides" "1 1" "$(
    manifest=$(busctl --address="$PROCTOR_BUS_ADDRESS" get-property org.proctor1 \
        /org/proctor1/child/shop/db org.proctor1.Child Manifest)
    echo "$(grep -c 'SIGINT' <<<"$manifest") $(grep -c 'timeout: 20s' <<<"$manifest")")"
plan
