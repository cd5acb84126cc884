#!/bin/bash
# bus.sh PROCTORD PROCTORCTL: the bus goes away and comes back, and the children do not notice.
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1") proctorctl=$(realpath "$2")
folder=$(mktemp -d)
mkfifo "$folder/never"
trap 'kill $daemon $bus; rm -rf "$folder"' EXIT
export PROCTOR_BUS_ADDRESS=unix:path=$folder/bus

start_bus() {
    rm -f "$folder/bus" "$folder/up"
    mkfifo "$folder/up"
    dbus-daemon --session --nofork --address="$PROCTOR_BUS_ADDRESS" --print-address=3 \
        3>"$folder/up" 2>>"$folder/errors" &
    bus=$!
    read -r <"$folder/up"
}
answers() { "$proctorctl" list >"$folder/list" 2>"$folder/said"; }
pid() { "$proctorctl" status web | sed -n 's/.*(pid \([0-9]*\).*/\1/p'; }

cat >"$folder/tree.yaml" <<'YAML'
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
YAML
start_bus
"$proctord" --bus-address="$PROCTOR_BUS_ADDRESS" --manifests="$folder/tree.yaml" \
    --state-dir="$folder/state" --runtime-dir="$folder/run" >"$folder/out" 2>"$folder/log" &
daemon=$!
until_true answers
has_started() { [ "$(pid)" -gt 0 ] 2>/dev/null; }
until_true has_started
before=$(pid)

kill -9 "$bus"
wait "$bus" 2>/dev/null
until_true grep -q "lost the bus, supervision continues" "$folder/log"
answers
check "without a bus proctorctl says so" "proctorctl: the bus cannot be reached: Connection refused" \
    "$(head -1 "$folder/said")"
check "the child runs" "" "$(kill -0 "$before" 2>&1)"

start_bus
check "proctord is back on the new bus" yes "$(until_true answers && echo yes)"
check "and so is the child, as it was" "$before" "$(pid)"
check "both are told" 1 "$(grep -c "connected to the bus again" "$folder/log")"

for _ in 1 2 3; do
    kill -9 "$bus"
    wait "$bus" 2>/dev/null
    start_bus
    until_true answers
done
check "again and again" "$before" "$(pid)"
check "a restart is carried out" "web: active, queued-after-stop, generation 1, ready" \
    "$("$proctorctl" restart web --reason=test --wait)"
plan
