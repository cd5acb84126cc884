#!/bin/bash
# What each command answers with --json, as docs/dbus.md tells it: json_shapes.sh PROCTORD PROCTORCTL SOURCE
# [--write]. Prints TAP.
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<'EOF'
children:
  - name: web
    exec: [/bin/sh, -c, "echo hello; exec sleep 1000"]
    stdout: {file: @/web.log}
  - {supervisor: s, children: [{name: x, exec: [/bin/sleep, "1000"]}]}
  - {name: late, autostart: false, requires: [web], exec: [/bin/sleep, "1000"]}
  - {name: night, kind: job, schedule: "*-*-* 00:00", exec: [/bin/true]}
EOF
both_ready() { [ "$(proctorctl --no-legend list | grep -c ' ready')" = 2 ]; }
until_true both_ready
until_true test -s "$folder/web.log"
printf '{name: j, exec: [/bin/sh, -c, "echo 1 >&$PROCTOR_RESULT_FD"]}' >"$folder/job.yaml"
printf '{name: more, exec: [/bin/sleep, "1000"]}' >"$folder/more.yaml"

answers() { # NAME ARGUMENT...
    echo "== $1"
    proctorctl --json=short "${@:2}" 2>/dev/null
}
{
    answers list list
    answers tree tree
    answers "status ID" status web
    answers status status
    answers "pause, resume, quarantine, restart, remove, kill, reload ID" pause web --reason=test
    answers "pause, resume, quarantine, restart, remove, kill, reload ID" resume web --reason=test --wait
    answers "pause, resume, quarantine, restart, remove, kill, reload ID" restart web --reason=test --wait
    answers "pause, resume, quarantine, restart, remove, kill, reload ID" restart web --reason=test --dry-run
    answers "pause, resume, quarantine, restart, remove, kill, reload ID" pause web --reason=test --wait
    answers "pause, resume, quarantine, restart, remove, kill, reload ID" restart web --reason=test
    answers "pause, resume, quarantine, restart, remove, kill, reload ID" kill s/x CONT --reason=test
    answers "any, if it fails" kill late CONT --reason=test
    answers "pause, resume, quarantine, restart, remove, kill, reload ID" reload s/x --reason=test
    answers events events --after=0
    answers audit audit
    answers "run FILE" run "$folder/job.yaml"
    answers jobs jobs
    answers timers timers
    answers "log ID" log web
    answers "check FILE" check "$folder/job.yaml"
    answers "wait ID" wait s/x
    answers "wait ID" wait s/x --for=stopped --timeout=1ms
    answers reload reload --reason=test
    answers "reload --dry-run, add --dry-run" reload --dry-run --reason=test
    answers "reload --dry-run, add --dry-run" add "$folder/more.yaml" --dry-run --reason=test
    answers "run --dry-run" run "$folder/job.yaml" --dry-run
    answers "reexec --dry-run" reexec --reason=test --dry-run
    answers metrics metrics
    answers "add FILE" add "$folder/more.yaml" --reason=test
    answers "shutdown --dry-run" shutdown --reason=test --dry-run
    answers "shutdown --wait" shutdown --reason=test --wait
} >"$folder/answers"
trap 'wait $daemon; rm -rf "$folder"' EXIT # it has been shut down
python3 "$(dirname "$0")/json_shapes.py" "$3" "$folder/answers" "${@:4}"
