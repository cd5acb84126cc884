#!/bin/sh
# `./demo`: a private bus, proctord on a small tree, and a walk through what it can do. Leaves
# nothing behind. HOLD=1 stays up and prints the address for busctl.
set -eu
build=$(cd "${BUILD:-build}" && pwd)
examples=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d /tmp/proctor-demo-XXXXXX)
daemon=

finish() {
    code=$?
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$daemon" ] || wait "$daemon" 2>/dev/null || true
    rm -rf "$folder"
    exit $code
}
trap finish EXIT INT TERM

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$folder/children.d"
sed -e "s|@EXAMPLES@|$examples|; s|@PORT@|$port|" "$examples/tree/tree.yaml" >"$folder/children.d/tree.yaml"

mkfifo "$folder/address"
start_proctord() {
    "$build/service/proctord" --private-bus --manifests="$folder/children.d" \
        --state-dir="$folder/state" --runtime-dir="$folder/run" --log-level=err \
        >"$folder/address" 2>>"$folder/log" &
    daemon=$!
    read -r line <"$folder/address"
    PROCTOR_BUS_ADDRESS=${line#bus: }
    export PROCTOR_BUS_ADDRESS
}
start_proctord
PATH=$build/service/ctl:$PATH

show() {
    printf '\n$'
    for word; do
        case $word in *[!A-Za-z0-9_./:=,@%-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    echo
    "$@" || true
}
until_true() { # waits for a condition, at most ten seconds
    for _ in $(seq 100); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    echo "waited in vain: $*" >&2
    return 1
}
is() { proctorctl status "$1" --json=short | grep -q "\"$2\":\"*$3"; }

echo "== A small tree on a bus of its own"
until_true is worker readiness ready
until_true is cache/reader status ready
show proctorctl list
show proctorctl tree
show curl -s -o /dev/null -w 'HTTP %{http_code}\n' "http://127.0.0.1:$port/"

if [ "${HOLD:-}" = 1 ]; then
    echo
    echo "Try: busctl --address=$PROCTOR_BUS_ADDRESS tree org.proctor1"
    echo "     export PROCTOR_BUS_ADDRESS=$PROCTOR_BUS_ADDRESS PATH=$build/service/ctl:\$PATH"
    echo "Ctrl-C ends it."
    wait "$daemon"
    exit 0
fi

show busctl --address="$PROCTOR_BUS_ADDRESS" tree org.proctor1

echo; echo "== It crashes: it is started again, a generation later"
show proctorctl kill web SIGKILL --reason="let us see"
until_true is web generation 1
until_true is web status ready
show proctorctl status web

echo; echo "== A restart waits until the old process is gone"
show proctorctl restart worker --reason="new configuration"
show proctorctl restart worker --reason="somebody else wants it too"
show proctorctl status worker
until_true is worker generation 1
until_true is worker readiness ready
show proctorctl events --kind=child-restart-fence-released worker

echo; echo "== One of a supervisor's children crashes: its strategy is one-for-all"
show proctorctl kill cache/reader SIGKILL --reason="let us see"
until_true is cache/store generation 1
until_true is cache/reader generation 1
show proctorctl events --kind=child-restarted cache/store cache/reader
show proctorctl restart cache/ --reason="the whole scope, by hand" --wait

echo; echo "== A job: runs once, and its result comes back"
show proctorctl run "$examples/count.yaml" -- "the demo"

echo; echo "== A hold wins against everything automatic"
show proctorctl pause worker --reason="maintenance" --wait
show proctorctl restart worker --reason="will be rejected"
show proctorctl resume worker --reason="done" --wait

echo; echo "== proctord itself dies by kill -9, in the middle of its work; its children do not"
show_pids() {
    echo; echo "\$ proctorctl status web cache/store | grep '^[a-z].*pid'"
    proctorctl status web cache/store | grep '^[a-z].*pid'
}
show proctorctl pause worker --reason="to be remembered" --wait
show_pids
i=0
while [ $i -lt 60 ]; do
    i=$((i + 1))
    proctorctl restart cache/reader --reason="order $i of 60" >/dev/null 2>&1 || true
done &
load=$!
until_true is cache/reader generation '[0-9][0-9]'
echo; echo "\$ kill -9 $daemon"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
daemon=
wait "$load"
start_proctord
until_true is cache/reader status ready
show_pids
show proctorctl audit --since=30s --kind=command-accepted cache/reader
show proctorctl audit --kind=supervisor-recovered
show proctorctl resume worker --reason="it was remembered" --wait

echo; echo "== What crashes too often is given up, loudly, and says why"
until_true is flaky operation quarantined
show proctorctl status flaky

echo; echo "== Shutdown, in order, with a report"
show proctorctl shutdown --reason="end of the demo" --wait
wait "$daemon" && code=0 || code=$?
daemon=
echo
echo "proctord ended with exit code $code"

echo; echo "== The same core under a virtual clock: races on purpose, and what they look like"
PATH=$build/sim:$PATH
show proctor-sim run "$examples/../tests/scenarios/field/w02-no-start-beside-a-live-one.yaml" --trace "$folder/run.trace"
show proctor-sim campaign --time 2s --store "$folder"
show proctor-sim timeline "$folder/run.trace" -o "$build/timeline.html"
echo "open $build/timeline.html in a browser"
exit "$code"
