#!/bin/bash
# timers.sh PROCTORD PROCTORCTL: jobs that the calendar starts.
. "$(dirname "$0")/proctord.sh"
options=(--no-cgroups)
begin "$1" "$2" <<'X'
children:
  - {name: often, kind: job, exec: [/bin/sh, -c, "echo run >>@/often"], schedule: "*:*:*"}
  - {name: long, kind: job, exec: [/bin/sleep, "1000"], schedule: "*:*:*"}
  - {name: newest, kind: job, exec: [/bin/sleep, "1000"], schedule: {at: "*:*:*", overlap: replace}}
  - {name: later, kind: job, exec: [/bin/true], schedule: {at: "2199-12-31 23:59", time_zone: UTC}}
  - {name: over, kind: job, exec: [/bin/true], schedule: "2020-01-01"}
  - {name: plain, kind: job, exec: [/bin/true]}
X

property() { proctorctl show "$1" "$2" | sed 's/^[^=]*=//'; }
runs() { test -e "$folder/often" && [ "$(wc -l <"$folder/often")" -ge "$1" ]; }
ran_after() { [ "$(property often LastRunUSec)" -gt "$1" ]; }
has_generation() { [ "$(property "$1" Generation)" -ge "$2" ]; }
skipped() { proctorctl events --after=0 | grep -Eq "long.*was due at 2[0-9-]{9} [0-9:]{8}, and is not run: running"; }

until_true runs 2
check "it runs again and again" yes "$(runs 2 && echo yes)"
until_true skipped
check "one that continues is not started again" "0 1" "$(property long Generation) $(property long Attempt)"
until_true has_generation newest 2
check "or it is replaced" yes "$(has_generation newest 2 && echo yes)"
check "the next one that is due comes first, and one without a time last" \
    "later over" "$(proctorctl timers | awk 'NR > 4 { print $1 }' | xargs)"
check "one without a schedule is no timer" 0 "$(proctorctl timers | grep -c plain)"
check "a pattern" "later" "$(proctorctl --no-legend timers 'l[a]*' | awk '{ print $1 }')"
check "as JSON" "later 7258118340000000" "$(proctorctl --json=short timers later |
    python3 -c 'import json, sys; row = json.load(sys.stdin); row = row[0] if isinstance(row, list) else row; print(row["child"], row["next_run_usec"])')"
check "why it does not run" "over: not started: no time of its schedule is left" "$(proctorctl status over | head -1)"

proctorctl pause often --reason=test --wait >/dev/null
last=$(property often LastRunUSec)
proctorctl resume often --reason=test >/dev/null
until_true ran_after "$last"
check "after a hold it goes on with the next time" yes "$(ran_after "$last" && echo yes)"

proctorctl pause often --reason=test --wait >/dev/null
last=$(property often LastRunUSec)
proctorctl reexec --reason=test >/dev/null
check "the last run survives an upgrade" "$last" "$(property often LastRunUSec)"
plan
