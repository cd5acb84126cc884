#!/bin/bash
# few_descriptors.sh PROCTORD: with few descriptors proctord starts with what there is, or says what
# it could not do.
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1")
folder=$(mktemp -d)
mkfifo "$folder/never"
daemon=
trap 'kill -9 $daemon 2>/dev/null; wait; rm -rf "$folder"' EXIT
echo "children: []" >"$folder/tree.yaml"

has_ended() { ! [ -d "/proc/$daemon" ] || grep -q "^State:.Z" "/proc/$daemon/status" 2>/dev/null; }
is_up() { grep -q "waiting for the bus" "$folder/log"; }
decided() { is_up || has_ended; }
try() { # LIMIT: sets verdict
    rm -rf "$folder/state" "$folder/run"
    # Not by the shell, which needs some itself.
    python3 -c 'import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])' "$1" "$proctord" --bus-address="unix:path=$folder/none" \
        --manifests="$folder/tree.yaml" --state-dir="$folder/state" --runtime-dir="$folder/run" \
        >/dev/null 2>"$folder/log" &
    daemon=$!
    until_true decided
    verdict=silent
    if is_up; then
        verdict=started
        kill "$daemon"
        until_true has_ended || {
            verdict="started, and does not end: $(cat "$folder/log")"
            kill -9 "$daemon"
        }
    elif grep -q "^proctord: .*: .*" "$folder/log"; then
        verdict=told
    fi
    wait "$daemon"
    code=$?
    [ $code = 1 ] || [ $verdict = started ] || verdict="exit code $code"
    [ $verdict = silent ] && verdict="silent: $(cat "$folder/log")"
    daemon=
}

for limit in $(seq 4 24) 63 64 65 66; do
    try "$limit"
    wanted="started or told"
    [ "$limit" -ge 63 ] && wanted=started
    [ "$wanted" != started ] && { [ "$verdict" = started ] || [ "$verdict" = told ]; } && verdict=$wanted
    check "$limit descriptors: $wanted" "$wanted" "$verdict"
done
plan
