#!/bin/sh
# Runs all tests of a build folder. The last line says how many tests (not test programs) passed
# and failed.
set -u
build=$1
log=$build/meson-logs/testlog.json

meson test -C "$build" --no-rebuild --print-errorlogs --num-processes 2
code=$?
python3 - "$log" "$code" <<'PYTHON'
import json, re, sys

passed = failed = 0
for line in open(sys.argv[1]):
    test = json.loads(line)
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
if sys.argv[2] != "0" and failed == 0:
    failed = 1
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
PYTHON
