#!/bin/bash
# What proctorctl says: check, log and reexec, against a real proctord: tool.sh PROCTORD PROCTORCTL
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<'EOF'
children:
  - name: counts
    exec: [/bin/sh, -c, 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo "line $i"; done; exec sleep 1000']
    stdout: {file: @/counts.log, max_size: 4K, keep: 50}
  - {name: mute, exec: [/bin/sleep, "1000"], stdout: "null"}
  - {name: flow, exec: [/bin/sleep, "1000"], environment: {TOKEN: "s3cret é"}, nice: 1}
  - name: block
    exec: [/bin/sleep, "1000"]
    environment:
      TOKEN: s3cret
      # s3cret as well
      OTHER: "s3cret"
    nice: 1
EOF

# ---- log ----
said_all() { [ "$(proctorctl log counts -n 1)" = "line 2000" ]; }
until_true said_all
check "log: the last ten" "$(seq -f 'line %g' 1991 2000)" "$(proctorctl log counts)"
check "log: over all rotated files" "$(seq -f 'line %g' 1 2000)" "$(proctorctl log counts -n 5000)"
check "log: nothing kept" "proctorctl: what mute writes is not kept (stdout: null)" \
    "$(proctorctl log mute 2>&1)"
check "log: not a number" "1" "$(proctorctl log counts -n many 2>/dev/null; echo $?)"
check "log: no such child" "5" "$(proctorctl log nobody 2>/dev/null; echo $?)"
: >"$folder/followed"
proctorctl log counts -f -n 2 >>"$folder/followed" &
follower=$!
followed() { [ "$(cat "$folder/followed")" = "$1" ]; }
until_true followed "$(printf 'line 1999\nline 2000')"
proctorctl restart counts --reason=test --wait --quiet
until_true followed "$(printf 'line 1999\nline 2000\n'; seq -f 'line %g' 1 2000)"
check "log -f: what is added, across the files" \
    "$(printf 'line 1999\nline 2000\n'; seq -f 'line %g' 1 2000)" "$(cat "$folder/followed")"
kill $follower
check "status: the last lines too" "line 2000" "$(proctorctl status counts | tail -1)"

# ---- what must not be shown ----
manifest_of() { busctl --address="$PROCTOR_BUS_ADDRESS" --json=short get-property org.proctor1 \
    /org/proctor1/child/"$1" org.proctor1.Child Manifest | sed 's/\\"/"/g; s/\\n/|/g'; }
check "the environment is not shown: flow" \
    '{"type":"s","data":"name: flow|exec: [/bin/sleep, "1000"]|environment: {HIDDEN: "the environment is not shown"}|nice: 1|"}' \
    "$(manifest_of flow)"
check "the environment is not shown: block" \
    '{"type":"s","data":"name: block|exec: [/bin/sleep, "1000"]|environment: {HIDDEN: "the environment is not shown"}|nice: 1|"}' \
    "$(manifest_of block)"
check "nor anywhere else" 0 "$( (proctorctl --json=short status; proctorctl --json=short events
    proctorctl audit; proctorctl metrics; busctl --address="$PROCTOR_BUS_ADDRESS" --json=short call \
    org.proctor1 /org/proctor1 org.freedesktop.DBus.ObjectManager GetManagedObjects) | grep -c s3cret)"
check "the child has it" 2 "$(tr '\0' '\n' <"/proc/$(proctorctl --json=short status block |
    grep -o '"main_pid":[0-9]*' | cut -d: -f2)/environ" | grep -c s3cret)"

# ---- check ----
cat >"$folder/good.yaml" <<'EOF'
children:
  - {name: a, exec: [/bin/true], restart: permanent, restart_limit: {burst: 2, interval: 1m},
     backoff: {initial: 100ms, factor: 2, max: 1s}}
  - {name: b, exec: [/bin/true], restart: permanent, restart_limit: {burst: 10, interval: 5m},
     backoff: {initial: 1m, max: 5m}}
  - {name: c, exec: [/bin/true], restart: temporary}
EOF
check "check: what limits come to" \
"a: if it always fails, it is given up (quarantine) after 3 starts, about 300 ms of backoff
b: warning: its restart limit is never reached: with its backoff no more than 3 failures fit into 5 min, and burst is 10; it is restarted forever
3 children, no errors found" "$(proctorctl check "$folder/good.yaml")"
check "check --quiet: only the warning" "1" "$(proctorctl check --quiet "$folder/good.yaml" | wc -l)"
check "check --json" \
'{"children":[{"child":"a","restarts":true,"given_up":true,"starts":3,"after_usec":300000,"next_runs_usec":[]},{"child":"b","restarts":true,"given_up":false,"starts":null,"after_usec":null,"next_runs_usec":[]},{"child":"c","restarts":false,"given_up":null,"starts":null,"after_usec":null,"next_runs_usec":[]}],"warnings":[]}' \
    "$(proctorctl check --json=short "$folder/good.yaml")"
printf 'children:\n  - {name: z, exec: [/bin/true], restrt: temporary}\n' >"$folder/bad.yaml"
check "check: a mistake, with its place" \
    "$folder/bad.yaml:2:34: children[0].restrt: unknown key, did you mean \"restart\"?
1" \
    "$(proctorctl check "$folder/good.yaml" "$folder/bad.yaml" 2>&1; echo $?)"
check "check: without a daemon" "1" \
    "$(PROCTOR_BUS_ADDRESS=unix:path=/nowhere proctorctl check "$folder/bad.yaml" 2>/dev/null; echo $?)"

# ---- reexec ----
before=$(proctorctl status mute | grep -o 'pid [0-9]*' | head -1)
version=$("$1" --version | head -1)
check "reexec --dry-run" "$version can take over" "$(proctorctl reexec --reason=test --dry-run)"
check "the dry run of a command has no id" 2 "$( (proctorctl pause mute --reason=test --dry-run --json=short
    proctorctl shutdown --reason=test --dry-run --json=short) | grep -o '"command_id":null' | wc -l)"
check "reexec" "$version has taken over" "$(proctorctl reexec --reason=test)"
check "reexec: the same process" "$before" "$(proctorctl status mute | grep -o 'pid [0-9]*' | head -1)"
check "reexec: the audit knows" "1" "$(proctorctl audit --kind=supervisor-reexecuting | wc -l)"
check "reexec: why" "1" "$(proctorctl reexec 2>/dev/null; echo $?)"
plan
