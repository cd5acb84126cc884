#!/bin/bash
# plans.sh PROCTORD PROCTORCTL: the dry runs of add, replace, run and reload say for each child what they would do,
# and do what they have said.
. "$(dirname "$0")/proctord.sh"
options=(--no-cgroups)
begin "$1" "$2" <<'X'
children:
  - {name: db, exec: [/bin/sleep, "1000"]}
  - {name: api, exec: [/bin/sleep, "1000"], requires: [db]}
  - {name: old, exec: [/bin/sleep, "1000"]}
  - {name: side, kind: sidecar, primary: db, exec: [/bin/sleep, "1000"]}
X
cd "$folder" || exit 1
because=--reason=test
both_there() { proctorctl wait api old side --timeout=20s --quiet; }
until_true both_there
lines() { tr -s ' \n' ' ' | sed 's/ $//'; }
would() { "$@" --dry-run $because 2>&1 | lines; }

echo '{name: new, exec: [/bin/sleep, "1000"], requires: [db]}' >new.yaml
echo '{name: idle, exec: [/bin/sleep, "1000"], autostart: false}' >idle.yaml
cat >pay.yaml <<'Y'
supervisor: pay
children:
  - {name: a, exec: [/bin/sleep, "1000"]}
  - {name: b, exec: [/bin/sleep, "1000"], requires: [pay/a]}
  - {name: c, exec: [/bin/sleep, "1000"], autostart: false}
  - {name: d, exec: [/bin/sleep, "1000"], requires: [pay/c]}
Y
check "a dry run of add names the child and its start" "added new starts new" "$(would proctorctl add new.yaml)"
check "one that does not start on its own is only added" "added idle" "$(would proctorctl add idle.yaml)"
check "of a supervisor it names each child, and not one whose requirement nothing starts" \
    "added supervisor pay added pay/a added pay/b added pay/c added pay/d starts pay/a starts pay/b" \
    "$(would proctorctl add pay.yaml)"
check "as JSON, too" \
    '{"added":["new"],"in_place":[],"pending":[],"restart":[],"removed":[],"changed":[],"unchanged":0,"dry_run":true,"would_stop":[],"would_start":["new"],"would_restart":[]}' \
    "$(proctorctl --json=short add new.yaml --dry-run $because)"
check "nothing was added" "api db old side " "$(proctorctl --no-legend list | awk '{print $1}' | sort | tr '\n' ' ')"
proctorctl add pay.yaml $because >/dev/null
pay_is_there() { [ "$(proctorctl --no-legend list | awk '/^pay.* ready /{printf "%s ", $1}')" = "pay/a pay/b " ]; }
check "and the command starts those that it said" "0" "$(until_true pay_is_there; echo $?)"

echo '{name: db, exec: [/bin/sleep, "1001"]}' >db.yaml
check "a replacement waits for the next start" "pending db" "$(would proctorctl add db.yaml --replace)"
check "or restarts the child, and its sidecar with it" "restart db restarts side restarts db" \
    "$(would proctorctl add db.yaml --replace --restart)"
check "where there is none, it is added" "added new starts new" "$(would proctorctl add new.yaml --replace)"
check "what would be refused is refused" 'proctorctl: a child is already called "db" 1' \
    "$(would proctorctl add db.yaml) $(proctorctl add db.yaml --dry-run $because --quiet 2>/dev/null; echo $?)"

proctorctl pause api $because --wait >/dev/null
proctorctl pause db $because --wait >/dev/null
proctorctl resume api $because >/dev/null
check "one whose requirement is paused is only added" "added new" "$(would proctorctl add new.yaml)"
echo '{name: api, exec: [/bin/sleep, "1000"]}' >api.yaml
check "a declaration that lacks the requirement would start the child" "in-place api starts api" \
    "$(would proctorctl add api.yaml --replace)"
proctorctl add api.yaml --replace $because >/dev/null
check "and does" "0" "$(proctorctl wait api --timeout=20s --quiet; echo $?)"
proctorctl resume db $because --wait >/dev/null

cat >children.d/tree.yaml <<'Y'
children:
  - {name: db, exec: [/bin/sleep, "1001"]}
  - {name: api, exec: [/bin/sleep, "1000"], tags: [x]}
  - {name: side, kind: sidecar, primary: db, exec: [/bin/sleep, "1000"]}
  - {name: more, exec: [/bin/sleep, "1000"], requires: [db]}
Y
check "a dry run of reload names who starts and stops" \
    "added more in-place api pending db removed old unchanged 1 stops old starts more" "$(would proctorctl reload)"
check "and who is restarted" \
    "added more in-place api restart db removed old unchanged 1 stops old starts more restarts side restarts db" \
    "$(would proctorctl reload --restart)"

echo '{name: j, exec: [/bin/sleep, "1000"]}' >job.yaml
echo '{name: j, exec: [/bin/true], same_name: replace}' >newer.yaml
echo '{name: j, exec: [/bin/true], same_name: queue}' >later.yaml
check "a dry run of run says that the job would run" "the job would be accepted, and run at once" \
    "$(proctorctl run job.yaml --dry-run)"
check "or as JSON" '{"dry_run":true,"name":"j","state":"running","would_stop":[],"would_start":["j"]}' \
    "$(proctorctl --json=short run job.yaml --dry-run)"
proctorctl run job.yaml >/dev/null 2>&1 &
job=$!
job_runs() { proctorctl --no-legend jobs j | grep -q running; }
until_true job_runs
check "one of a name that runs is refused as the job would be" "proctorctl: a job of this name is queued or runs; 1" \
    "$(proctorctl run job.yaml --dry-run 2>&1); $?"
check "or waits for it" "the job would be accepted, and wait for its turn" "$(proctorctl run later.yaml --dry-run)"
check "or replaces it" "the job would be accepted, and wait for its turn stops jobs/1" \
    "$(proctorctl run newer.yaml --dry-run | lines)"
proctorctl remove jobs/1 $because --wait >/dev/null
wait $job
check "the audit says of each that it was one" "add replace reload run" \
    "$(proctorctl --json=short audit | grep -o '"command":"[a-z]*"[^{}]*"dry_run":true' | cut -d'"' -f4 | awk '!seen[$0]++' | tr '\n' ' ' | sed 's/ $//')"
plan
