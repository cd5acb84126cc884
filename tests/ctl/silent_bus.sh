#!/bin/bash
# silent_bus.sh PROCTORD PROCTORCTL: whatever is wrong with the bus, a child that ends is restarted
# at once, and proctord is on the bus as soon as it is right.
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1") proctorctl=$(realpath "$2")
fake_bus=$(realpath "$(dirname "$0")/fake_bus.py")
folder=$(mktemp -d)
mkfifo "$folder/never"
daemon= bus=
thief=
leave() { # nothing behind
    local child=$(tail -1 "$folder/pids" 2>/dev/null)
    kill -9 $daemon $bus $thief 2>/dev/null
    [ "$(cat "/proc/$child/comm" 2>/dev/null)" = sleep ] && kill -9 "$child"
    wait
    rm -rf "$folder"
}
trap leave EXIT
export PROCTOR_BUS_ADDRESS=unix:path=$folder/bus

echo "children: []" >"$folder/never.yaml"
cat >"$folder/tree.yaml" <<YAML
children:
  - name: web
    exec: [/bin/sh, -c, "echo \$\$ >>$folder/pids; exec sleep 1000"]
    backoff: {initial: 10ms}
    restart_limit: {burst: 1000, interval: 1h}
YAML
false_bus() { # FAULT [SECONDS]
    rm -f "$folder/input" "$folder/connections"
    mkfifo "$folder/input"
    python3 "$fake_bus" "$folder/bus" "$@" <>"$folder/input" >"$folder/connections" 2>&1 &
    bus=$!
    until_true grep -q listening "$folder/connections"
}
true_bus() {
    rm -f "$folder/bus" "$folder/up"
    mkfifo "$folder/up"
    dbus-daemon --session --nofork --address="$PROCTOR_BUS_ADDRESS" --print-address=3 \
        3>"$folder/up" 2>>"$folder/errors" &
    bus=$!
    read -r <"$folder/up"
}
end_bus() {
    kill -9 "$bus"
    wait "$bus" 2>/dev/null
}
start() {
    "$proctord" --bus-address="$PROCTOR_BUS_ADDRESS" --manifests="$folder/tree.yaml" \
        --state-dir="$folder/state" --runtime-dir="$folder/run" >"$folder/out" 2>"$folder/log" &
    daemon=$!
}
starts() { cat "$folder/pids" 2>/dev/null | wc -l; }
has_started() { [ "$(starts)" -ge "$1" ]; }
started() { until_true has_started "$1" && echo yes; }
restarted() { # within five seconds; a second or two are for a machine that is busy
    local before=$(starts) begin=$SECONDS
    kill -9 "$(tail -1 "$folder/pids")"
    until_true has_started $((before + 1))
    [ $((SECONDS - begin)) -le 5 ] && echo yes
}
answers() { "$proctorctl" list >/dev/null 2>"$folder/said"; }
stop() { # sets result: the exit code, within five seconds
    local begin=$SECONDS
    kill -TERM "$daemon"
    wait "$daemon"
    result=$?
    [ $((SECONDS - begin)) -le 5 ] || result="$result after $((SECONDS - begin)) s"
    daemon=
}
asked() { grep -q connection "$folder/connections"; }
fresh() { rm -rf "$folder/state" "$folder/run" "$folder/pids"; }

for fault in silent deaf refuses hello "late 3" garbage closes nonsense; do
    fresh
    false_bus $fault
    start
    check "$fault: the children are started" yes "$(started 1)"
    until_true asked
    check "$fault: a child that ends is restarted" yes "$(restarted)"
    if [ "$fault" = "late 3" ]; then
        there() { grep -q "connected to the bus" "$folder/log" || ! grep -q "waiting" "$folder/log"; }
        check "late: it is waited for" yes "$(until_true there && echo yes)"
    fi
    if [ "$fault" = closes ]; then
        closes() { grep -q "supervision continues: it closed the connection" "$folder/log"; }
        check "closes: it is said what it does" yes "$(until_true closes && echo yes)"
    fi
    end_bus
    true_bus
    check "$fault: a bus that is right is found" yes "$(until_true answers && echo yes)"
    stop
    check "$fault: it ends in order" 0 "$result"
    end_bus
done

false_bus silent
begin=$SECONDS
check "proctorctl does not wait without end for a bus that is silent" \
    "proctorctl: the bus cannot be reached: Connection timed out" \
    "$("$proctorctl" list 2>&1 | head -1)"
check "but some seconds" yes "$([ $((SECONDS - begin)) -le 20 ] && echo yes)"
end_bus

# The end, with a bus that says nothing.
for fault in silent deaf hello; do
    fresh
    false_bus $fault
    start
    started 1 >/dev/null
    stop
    check "$fault: it ends in order, and soon" 0 "$result"
    end_bus
done

fresh
false_bus silent
start
until_true asked
stop
check "told to end before there are children: it does, in order" 0 "$result"
check "and starts none" 0 "$(starts)"
end_bus

# A bus that was right, and hangs.
fresh
true_bus
start
until_true answers
kill -STOP "$bus"
check "hanging: a child that ends is restarted" yes "$(restarted)"
"$proctorctl" list >"$folder/list" 2>&1 &
asker=$!
check "hanging: also while somebody asks" yes "$(restarted)"
kill -USR1 "$daemon"
refused() { grep -q "cannot take over: Connection timed out" "$folder/log"; }
check "hanging: the program is not replaced, and it is said why" yes "$(until_true refused && echo yes)"
check "hanging: a child that ends is restarted after that, too" yes "$(restarted)"
kill -CONT "$bus"
wait "$asker"
check "who asked has an answer when it goes on" "web" "$(awk 'NR == 2 { print $1 }' "$folder/list")"
check "and the program can be replaced" "" "$("$proctorctl" --quiet reexec --reason=test 2>&1)"
kill -STOP "$bus"
stop
check "hanging: it ends in order, and soon" 0 "$result"
kill -CONT "$bus"
end_bus

# No bus at all.
fresh
start
check "no bus: the children are started" yes "$(started 1)"
check "no bus: it is said once what is missing" \
    "proctord: waiting for the bus at $PROCTOR_BUS_ADDRESS, supervision continues: Connection refused" \
    "$(cat "$folder/log")"
before=$(tail -1 "$folder/pids")
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
start
true_bus
check "no bus after a death: those that are left are taken over" yes "$(until_true answers && echo yes)"
check "as they were" "$before" "$(tail -1 "$folder/pids")"

# Another one has the name.
other() {
    "$proctord" --bus-address="$PROCTOR_BUS_ADDRESS" --manifests="$folder/tree.yaml" \
        --state-dir="$folder/other" --runtime-dir="$folder/other-run" 2>"$folder/other-log"
}
check "a second proctord on the bus does not start" 1 "$(other; echo $?)"
check "and says who is there" \
    "proctord: the bus is available, but org.proctor1 on it belongs to another process, PID $daemon" \
    "$(tail -1 "$folder/other-log")"
check "nothing of its is started" 1 "$(starts)"
end_bus
until_true grep -q "lost the bus" "$folder/log"
kill -STOP "$daemon"
true_bus
"$proctord" --bus-address="$PROCTOR_BUS_ADDRESS" --manifests="$folder/never.yaml" \
    --state-dir="$folder/other" --runtime-dir="$folder/other-run" 2>"$folder/other-log" &
thief=$!
until_true answers
kill -CONT "$daemon"
told() { grep -q "org.proctor1 on it belongs to another process, PID $thief" "$folder/log"; }
check "the name is taken when the bus is back: it is told" yes "$(until_true told && echo yes)"
check "once" 1 "$(grep -c "belongs to another" "$folder/log")"
check "a child that ends is restarted" yes "$(restarted)"
kill -TERM "$thief"
wait "$thief"
has_web() { "$proctorctl" status web >/dev/null 2>&1; }
check "and asked for again, until it is free" yes "$(until_true has_web && echo yes)"
check "that is told, too" 1 "$(grep -c "connected to the bus again" "$folder/log")"
stop
check "it ends in order" 0 "$result"
end_bus
plan
