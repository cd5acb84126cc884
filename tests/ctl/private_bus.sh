#!/bin/bash
# private_bus.sh PROCTORD PROCTORCTL: a dbus-daemon of proctord's own that dies is started again, one
# that an earlier proctord has left is ended, and where there is none the start says so.
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1") proctorctl=$(realpath "$2")
folder=$(mktemp -d)
mkfifo "$folder/never"
daemon=
leave() { # nothing behind
    local child=$(tail -1 "$folder/pids" 2>/dev/null)
    kill -9 $daemon 2>/dev/null
    [ "$(cat "/proc/$child/comm" 2>/dev/null)" = sleep ] && kill -9 "$child"
    wait
    rm -rf "$folder"
}
trap leave EXIT
run="$folder/a run & <folder>; 50%"
cat >"$folder/tree.yaml" <<YAML
children:
  - name: web
    exec: [/bin/sh, -c, "echo \$\$ >>$folder/pids; exec sleep 1000"]
    backoff: {initial: 10ms}
    restart_limit: {burst: 1000, interval: 1h}
YAML
start() {
    "$proctord" --private-bus --manifests="$folder/tree.yaml" --state-dir="$folder/state" \
        --runtime-dir="$run" >"$folder/out" 2>"$folder/log" &
    daemon=$!
    until_true grep -q "^bus: " "$folder/out"
    PROCTOR_BUS_ADDRESS=$(sed 's/^bus: //' "$folder/out")
    export PROCTOR_BUS_ADDRESS
}
bus() { # its PID
    for child in $(cat "/proc/$daemon/task/$daemon/children"); do
        [ "$(cat "/proc/$child/comm")" = dbus-daemon ] && echo "$child"
    done
}
answers() { "$proctorctl" list >/dev/null 2>&1; }
has_started() { [ "$(wc -l <"$folder/pids")" -ge "$1" ]; }
restarted() {
    local before=$(wc -l <"$folder/pids")
    kill -9 "$(tail -1 "$folder/pids")"
    until_true has_started $((before + 1)) && echo yes
}

start
check "a folder may have any name" yes "$(answers && echo yes)"
for i in 1 2 3; do
    old=$(bus)
    kill -9 "$old"
    another() { [ "$(bus)" ] && [ "$(bus)" != "$old" ] && answers; }
    check "death $i: it is started again" yes "$(until_true another && echo yes)"
done
check "the address is still the same" "$PROCTOR_BUS_ADDRESS" "$(sed 's/^bus: //' "$folder/out")"
check "and told once" 1 "$(grep -c "^bus: " "$folder/out")"
check "that it died is told" 3 "$(grep -c "the dbus-daemon has ended; starting it again" "$folder/log")"
zombies() { ps -o stat= --ppid "$daemon" | grep -c Z; }
check "none of them is left" 0 "$(zombies)"
check "a child that ends is restarted" yes "$(restarted)"
old=$(bus)
check "a replacement of the program keeps it" "$old" \
    "$("$proctorctl" --quiet reexec --reason=test; until_true answers; bus)"
kill -9 "$old"
check "and one that dies after that is started again" yes "$(until_true another && echo yes)"

# One that hangs, of a proctord that died.
old=$(bus) before=$(tail -1 "$folder/pids")
kill -STOP "$old"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
start
check "one that an earlier proctord has left hanging is ended" yes "$(until_true answers && echo yes)"
check "the child is the same" "$before" "$(tail -1 "$folder/pids")"
gone() { ! kill -0 "$old" 2>/dev/null || grep -q "^State:.Z" "/proc/$old/status"; }
check "it is gone" yes "$(until_true gone && echo yes)"
kill -TERM "$daemon"
wait "$daemon"
check "the end is in order" 0 $?
check "and leaves no socket" "" "$(ls "$run" | grep bus)"

# None at all.
mkdir "$folder/path"
for program in sh sleep; do ln -s "$(command -v $program)" "$folder/path/$program"; done
rm -rf "$folder/state"
timeout 20 env PATH="$folder/path" "$proctord" --private-bus --manifests="$folder/tree.yaml" \
    --state-dir="$folder/state" --runtime-dir="$run" >"$folder/out" 2>"$folder/log"
check "without a dbus-daemon it does not start" 1 $?
check "and says what is missing" \
    "proctord: the private bus: dbus-daemon could not be started: No such file or directory" \
    "$(tail -1 "$folder/log")"
plan
