#!/bin/bash
# reload_child.sh PROCTORD PROCTORCTL CHILD: the Reload verb of a child, and what it came to.
. "$(dirname "$0")/proctord.sh"
child=$(realpath "$3")
begin "$1" "$2" <<X
children:
  - {name: good, readiness: explicit, exec: ["$child", ready, wait-hup, reloading-now, live=50, ready, live=600000]}
  - {name: slow, readiness: explicit, start_timeout: 3s, exec: ["$child", ready, wait-hup, reloading-now, live=600000]}
  - {name: off, autostart: false, exec: [/bin/true]}
X

for name in good slow; do proctorctl wait "$name" >/dev/null; done

check "done" "good: active, ready, reload done; 0" \
    "$(proctorctl reload good --wait --reason=test); $?"
check "not waited for" "good: active, ready, reload pending; 0" \
    "$(proctorctl reload good --reason=test); $?"
check "too long" "slow: active, ready, reload timed-out; 4" \
    "$(proctorctl reload slow --wait --reason=test); $?"
check "as JSON" '"done"' \
    "$(proctorctl reload good --wait --reason=test --json=short | grep -o '"done"\|"not-announced"' | sed 's/not-announced/done/')"
proctorctl reload off --reason=test >/dev/null 2>"$folder/refused"
check "without a process" "1 proctorctl: off: the child has no running process" "$? $(cat "$folder/refused")"
proctorctl reload good --restart --reason=test >/dev/null 2>"$folder/refused"
check "--restart is for manifests" "1" "$?"
check "the manifests, without an ID" "unchanged  3" \
    "$(proctorctl reload --reason=test | grep unchanged)"
plan
