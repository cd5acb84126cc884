#!/bin/sh
# The hostile test with proctord's loop watched (crash/loop_watch.c):
# watched.sh LOOP-WATCH HOSTILE ARGUMENT... prints its longest call that is not its poll; 50 ms or
# more is a failure.
watch=$1
shift
report=$(mktemp) || exit 1
trap 'rm -f "$report"' EXIT

LOOP_WATCH=$report WRAPPER=$watch "$@"
code=$?
calls=$(grep -v '^longest' "$report")
longest=$(sed -n 's/^longest //p' "$report" | sort -n | tail -1)
echo "# the loop's longest call that is not its poll: ${longest% *} ms (system call ${longest#* })"
if [ -z "$longest" ] || [ -n "$calls" ]; then
    echo "$calls" | sed 's/^/# the loop waited: ms, call, arguments: /'
    exit 1
fi
exit $code
