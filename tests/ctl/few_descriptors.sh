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
    verdict=silent
    until_true decided || kill -9 "$daemon"
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
# If standard descriptors are missing, no descriptor of proctord takes their place and reaches its children.
cat >"$folder/tree.yaml" <<EOF
name: shows
exec: [/bin/sh, -c, "for fd in 0 1 2; do readlink /proc/\$\$/fd/\$fd; done >$folder/part; mv $folder/part $folder/shown; exec sleep 1000"]
stdout: raw
EOF
is_shown() { [ -e "$folder/shown" ]; }
for missing in 0 1 2 '0 1 2'; do
    rm -rf "$folder/state" "$folder/run" "$folder/shown"
    python3 -c 'import os, sys
for fd in sys.argv[1].split(): os.close(int(fd))
os.execv(sys.argv[2], sys.argv[2:])' "$missing" "$proctord" --bus-address="unix:path=$folder/none" \
        --manifests="$folder/tree.yaml" --state-dir="$folder/state" --runtime-dir="$folder/run" \
        >/dev/null 2>/dev/null &
    daemon=$!
    until_true is_shown
    check "without $missing: nothing of proctord's in their place" 0 \
        "$(grep -cE 'anon_inode|socket|memfd|pidfd' "$folder/shown")"
    kill "$daemon"
    until_true has_ended || kill -9 "$daemon"
    wait "$daemon"
    daemon=
done

if [ -n "${2:-}" ]; then
    "$2" --address="unix:path=$folder/none" list >&- 2>"$folder/log"
    check "proctorctl without an output fails" 1 $?
    "$2" --version >&- 2>"$folder/log"
    check "proctorctl without an output fails, whatever it says" 1 $?
fi
plan
