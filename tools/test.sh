#!/bin/sh
# Runs all tests of a build folder: test.sh BUILD. The last line says how many tests (not test
# programs) passed and failed.
#
# Most of them wait most of the time: so twice as many programs run at a time as there are
# processors, and some measure time. A few that fail are therefore run a second time, alone. One that
# passes then is named as unstable, with its first output above: on a busy machine it is no reason to
# refuse a change, and it is a defect of the test.
set -u
build=$1
logs=$build/meson-logs
again_at_most=3

run() { # LOGBASE ARGUMENT...
    base=$1
    shift
    meson test -C "$build" --no-rebuild --print-errorlogs --timeout-multiplier 2 --logbase "$base" "$@"
}

failed_of() {
    python3 - "$1" <<'PYTHON'
import json, sys

for line in open(sys.argv[1]):
    test = json.loads(line)
    if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL"):
        print(test["name"].split(" / ")[-1])
PYTHON
}

rm -f "$logs"/testlog.json "$logs"/again.json
run testlog --num-processes $((2 * $(nproc)))
code=$?
again=
if [ $code -ne 0 ] && [ -f "$logs/testlog.json" ]; then
    again=$(failed_of "$logs/testlog.json")
    [ "$(echo "$again" | wc -w)" -le $again_at_most ] || again=
fi
if [ -n "$again" ]; then
    echo "== a second time, alone:" $again
    # shellcheck disable=SC2086 # names of tests, without blanks
    run again --num-processes 1 $again
    code=$?
fi

python3 - "$code" "$logs/testlog.json" "$logs/again.json" <<'PYTHON'
import json, os, re, sys

tests = {}
unstable = []
for path in sys.argv[2:]:
    if not os.path.exists(path):
        continue
    for line in open(path):
        test = json.loads(line)
        before = tests.get(test["name"])
        tests[test["name"]] = test
        if before and test["result"] == "OK":
            unstable.append(test["name"])

passed = failed = 0
for test in tests.values():
    if test["result"] == "SKIP":
        continue
    out = test.get("stdout", "")
    ok = len(re.findall(r"^ok\b", out, re.M))
    bad = len(re.findall(r"^not ok\b", out, re.M))
    if ok + bad == 0 or (bad == 0 and test["result"] not in ("OK", "EXPECTEDFAIL")):
        if test["result"] == "OK":
            ok += 1
        else:
            bad += 1
    passed, failed = passed + ok, failed + bad
if sys.argv[1] != "0" and failed == 0:
    failed = 1
for name in unstable:
    print(f"unstable: {name} passed only when it ran alone")
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
PYTHON
