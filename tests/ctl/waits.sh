#!/bin/bash
# waits.sh PROCTORD PROCTORCTL: a wait ends when nothing is there any more that could bring about
# what it waits for, also if that is another child's.
. "$(dirname "$0")/proctord.sh"
options=(--no-cgroups)
begin "$1" "$2" <<'X'
children:
  - {name: db, exec: [/bin/sleep, "1000"]}
  - {name: mid, exec: [/bin/sleep, "1000"], requires: [db]}
  - {name: top, exec: [/bin/sleep, "1000"], requires: [mid]}
  - {name: slow, exec: [/bin/sleep, "1000"], readiness: explicit, start_timeout: 0}
  - {name: on-slow, exec: [/bin/sleep, "1000"], requires: [slow]}
  - {name: failed, kind: job, exec: [/bin/false]}
  - {name: on-failed, exec: [/bin/sleep, "1000"], requires: [failed]}
  - {name: crashes, exec: [/bin/sh, -c, "exit 3"], readiness: explicit, autostart: false,
     backoff: {initial: 1h, max: 1h, jitter: none}}
  - {name: works, kind: job, exec: [/bin/true], autostart: false}
  - {name: drains, stop: {timeout: 0},
     exec: [/bin/sh, -c, "trap 'while ! test -e @/go; do sleep .05; done; exit' TERM; echo x >@/up; while :; do sleep .05; done"]}
X

tool() { timeout 60 proctorctl "$@" 2>"$folder/said"; echo "rc $?"; }
says_it_waits() { grep -q "waiting for $1" "$folder/waits"; }

until_true test -s "$folder/up"
proctorctl pause top --wait --reason=test >/dev/null
proctorctl pause mid --wait --reason=test >/dev/null
proctorctl pause db --wait --reason=test >/dev/null
check "a resume of one that requires a paused one" \
    "mid: active (was paused), completed; not ready (not started: requires db, which is paused)
rc 4" "$(tool resume mid --wait --reason=test)"
proctorctl resume top --reason=test >/dev/null
check "a wait at the end of a chain" \
    "top: will not be ready: not started: requires mid, which is not ready
rc 4" "$(tool wait top)"
check "as JSON" "hopeless" \
    "$(timeout 60 proctorctl --json=short wait top | sed 's/.*"result":"\([a-z]*\)".*/\1/')"
check "a wait for one whose job has failed" \
    "on-failed: will not be ready: not started: requires failed, which did not succeed but ended with exit code 1
rc 4" "$(tool wait on-failed)"
proctorctl resume db --wait --reason=test >/dev/null
check "and it comes up when that does" "top: ready
rc 0" "$(tool wait top)"

timeout 60 proctorctl wait on-slow >"$folder/result" 2>"$folder/waits" &
waiter=$!
until_true says_it_waits on-slow
proctorctl pause slow --reason=test >/dev/null
wait $waiter
code=$?
check "what is paused meanwhile is heard of" \
    "on-slow: will not be ready: not started: requires slow, which is paused; 4" "$(<"$folder/result"); $code"
proctorctl remove slow --wait --reason=test >/dev/null
check "one that requires a removed one" \
    "on-slow: will not be ready: not started: requires slow, which was removed
rc 4" "$(tool wait on-slow)"

check "a restart that ends before it is ready has failed" \
    "crashes: active, started-immediately, generation 0; not ready (waits 59 min before restart 1 of 10, after exit code 3)
rc 4" "$(tool restart crashes --wait --reason=test)"
check "one whose end is its readiness has not" \
    "works: active, started-immediately, generation 0
rc 0" "$(tool restart works --wait --reason=test)"

proctorctl pause drains --reason=test >/dev/null
waiters=()
for state in stopped removed; do
    timeout 60 proctorctl wait drains --for=$state >"$folder/$state" 2>"$folder/waits" &
    waiters[${#waiters[@]}]=$!
    until_true says_it_waits drains
done
proctorctl shutdown --reason=test >/dev/null
touch "$folder/go"
codes=
for waiter in "${waiters[@]}"; do
    wait "$waiter"
    codes="$codes $?"
done
check "at the end of the tree a child is stopped and removed" \
    "drains: stopped drains: removed 0 0" \
    "$(paste -sd' ' "$folder/stopped" "$folder/removed" | tr '\n' ' ' | sed 's/ $//')$codes"
plan
