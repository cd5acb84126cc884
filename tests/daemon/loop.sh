#!/bin/sh
# The loop never waits: loop.sh LOOP-WATCH TEST... runs the tests with a proctord whose loop is
# watched (loop_watch.c). No system call of the loop but its poll may take 50 ms.
watch=$1
shift
report=$(mktemp) || exit 1
trap 'rm -f "$report" "$report.out"' EXIT
number=0

for test; do
    : >"$report"
    number=$((number + 1))
    name=$(basename "$test")
    if ! LOOP_WATCH=$report WRAPPER=$watch "$test" >"$report.out" 2>&1; then
        cat "$report.out"
        echo "not ok $number - $name fails while its loop is watched"
        continue
    fi
    # Those who watch have seen its end a moment later than the test.
    tries=0
    while ! grep -q '^longest' "$report" && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
    longest=$(sed -n 's/^longest //p' "$report" | sort -n | tail -1)
    calls=$(grep -v '^longest' "$report")
    if [ -z "$longest" ]; then
        echo "not ok $number - $name: nothing was watched"
    elif [ -n "$calls" ]; then
        echo "$calls" | sed 's/^/# ms, call, arguments: /'
        echo "not ok $number - $name: the loop waited"
    else
        echo "ok $number - $name: the longest call took ${longest% *} ms (system call ${longest#* })"
    fi
done
echo "1..$number"
