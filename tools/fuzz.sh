#!/bin/sh
# The fuzz targets, each for so many seconds (0: they are only built), two at a time: fuzz.sh BUILD
# SECONDS. New inputs stay in BUILD/corpus for the next time; what was found lies in BUILD. Prints a line for each target, exits
# with 1 when there is a finding.
set -eu
build=$1 seconds=$2
targets="manifest schema notify journal scenario arguments"

[ -f "$build/build.ninja" ] ||
    CC=clang meson setup "$build" -Dfuzz=true -Db_lundef=false -Db_sanitize=address,undefined >/dev/null
ninja -C "$build" --quiet $(for t in $targets; do echo "tests/fuzz/fuzz-$t"; done)
[ "$seconds" -gt 0 ] || exit 0

seeds_of() {
    case $1 in
    manifest) echo tests/corpus/manifests/good tests/corpus/manifests/bad examples/tree ;;
    scenario) find tests/scenarios -mindepth 1 -type d | tr '\n' ' ' ;;
    schema) ;;
    *) echo "tests/corpus/$1" ;;
    esac
}

run() {
    mkdir -p "$build/corpus/$1"
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$build/tests/fuzz/fuzz-$1" \
        -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$build/$1-" "$build/corpus/$1" $(seeds_of "$1") \
        >"$build/fuzz-$1.log" 2>&1
}

tell() {
    log=$build/fuzz-$1.log
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
    if [ "$2" -eq 0 ]; then
        echo "fuzz $1: $executions executions, $rate a second, $edges edges covered, nothing found"
    else
        echo "fuzz $1: FOUND: $(grep -E 'ERROR|found:|runtime error' "$log" | head -1) (see $log)"
    fi
}

failed=0
set -- $targets
while [ $# -gt 0 ]; do
    first=$1 second=${2:-}
    run "$first" &
    one=$!
    if [ -n "$second" ]; then
        run "$second" &
        two=$!
        shift
    fi
    shift
    code=0; wait "$one" || code=$?
    tell "$first" "$code"; [ "$code" -eq 0 ] || failed=1
    [ -n "$second" ] || continue
    code=0; wait "$two" || code=$?
    tell "$second" "$code"; [ "$code" -eq 0 ] || failed=1
done
exit $failed
