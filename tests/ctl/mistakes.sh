#!/bin/bash
# mistakes.sh PROCTORD CHILD: each key of a child's message that is wrong is reported, once.
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1") child=$(realpath "$2")
folder=$(mktemp -d)
mkfifo "$folder/never"
daemon=
trap '[ -n "$daemon" ] && kill -9 $daemon 2>/dev/null; wait; rm -rf "$folder"' EXIT
cat >"$folder/tree.yaml" <<X
children:
  - {name: web, exec: ["$child", say=EXTEND_TIMEOUT_USEC=-1, say=EXTEND_TIMEOUT_USEC=infinity,
      "say=READY=perhaps;STATUS=here;ERRNO=none", say=MAINPID=1, say=FDSTORE=1, live=600000]}
  - {name: other, exec: ["$child", say=EXTEND_TIMEOUT_USEC=-1, stopping, live=600000]}
X
"$proctord" --bus-address="unix:path=$folder/none" --manifests="$folder/tree.yaml" --no-cgroups \
    --state-dir="$folder/state" --runtime-dir="$folder/run" --log-target=stderr \
    >/dev/null 2>"$folder/log" &
daemon=$!

all_are_told() { [ "$(grep -c "is ignored: expected" "$folder/log")" -ge 6 ]; }
until_true all_are_told
line() { grep "is ignored: expected" "$folder/log" | grep -F "$1" | sed 's/^proctord: //'; }
check "a negative time" "web: EXTEND_TIMEOUT_USEC=-1 is ignored: expected a number of microseconds" \
    "$(line "web: EXTEND")"
check "of another child" "other: EXTEND_TIMEOUT_USEC=-1 is ignored: expected a number of microseconds" \
    "$(line "other: EXTEND")"
check "a word" "web: READY=perhaps is ignored: expected 0 or 1" "$(line "web: READY")"
check "beside others" "web: ERRNO=none is ignored: expected a number from 0 to 4095" \
    "$(line "web: ERRNO")"
check "a stranger" "web: MAINPID=1 is ignored: expected the PID of one of the child's processes" \
    "$(line "web: MAINPID")"
check "no store" "web: FDSTORE=1 is ignored: expected 1, and fd_store_max in the manifest" \
    "$(line "web: FDSTORE")"
kill "$daemon"
wait "$daemon"
daemon=
check "and no more" 6 "$(grep -c "is ignored: expected" "$folder/log")"
plan
