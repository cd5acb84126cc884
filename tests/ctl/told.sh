#!/bin/bash
# told.sh PROCTORD PROCTORCTL: what is reported about children, waits, dry runs and ends is true.
. "$(dirname "$0")/proctord.sh"
options=(--no-cgroups)
begin "$1" "$2" <<'X'
children:
  - {name: policy, exec: [/bin/true], restart: transient}
  - {name: held, exec: [/bin/sleep, "1000"]}
  - {name: api, exec: [/bin/sleep, "1000"], requires: [held]}
  - {name: web, exec: [/bin/sleep, "1000"], after: [api]}
  - {name: stubborn, exec: [/bin/sh, -c, "trap '' TERM; echo x >@/trapped; while :; do sleep .1; done"],
     stop: {timeout: 100ms, timeout_action: report}}
X

sentence() { proctorctl status "$1" | head -1; }
has_ended() { sentence policy | grep -q "ended with success"; }
stop_failed() { proctorctl --json=short list stubborn | grep -q '"stop_state":"failed"'; }

until_true has_ended
check "a policy that leaves an end alone" \
    "policy: ended with success; restart policy transient does not restart it" "$(sentence policy)"
sed -i 's/restart: transient/restart: permanent/' "$folder/children.d/tree.yaml"
proctorctl reload --reason=test >/dev/null
check "a newer policy has not left it alone" \
    "policy: ended with success; its restart policy at that time did not restart it, the new one, permanent, applies to its next exit: start it with Restart" \
    "$(sentence policy)"

until_true test -s "$folder/trapped"
check "a dry run of shutdown names those that would stop" \
    "shutdown: idle
would stop: held api web stubborn; 0" "$(proctorctl shutdown --dry-run --reason=test); $?"
printf '{name: new, exec: [/bin/true]}' >"$folder/new.yaml"
printf '{name: new, kind: job, exec: [/bin/true]}' >"$folder/job.yaml"
printf '{name: held, exec: [/bin/sleep, "1001"]}' >"$folder/replaced.yaml"
proctorctl add "$folder/new.yaml" --dry-run --reason="dry add" >/dev/null
proctorctl run "$folder/job.yaml" --dry-run --reason="dry run" >/dev/null
proctorctl add "$folder/replaced.yaml" --replace --dry-run --reason="dry replace" >/dev/null
proctorctl reload --dry-run --reason="dry reload" >/dev/null
proctorctl reexec --dry-run --reason="dry reexec" >/dev/null
dry_runs() { proctorctl --json=short audit | grep -o '"command":"[a-z]*"[^{}]*"dry_run":true' | grep -c "$1"; }
for command in shutdown add run replace reload reexecute; do
    check "the audit says that $command was a dry run" "1" "$(dry_runs "\"$command\"")"
done
check "a dry run of pause names it" \
    "api: would be: paused (was active), cancelling, cancel-delivered; would stop: api; 0" \
    "$(proctorctl pause api --dry-run --reason=test); $?"

proctorctl pause held --wait --reason=test >/dev/null
check "wait on a paused child answers at once" "4" \
    "$(timeout 20 proctorctl wait held >"$folder/waited"; echo $?)"
check "and says why" "1" "$(grep -c '^held: .*ready: paused by' "$folder/waited")"
proctorctl pause api --wait --reason=test >/dev/null
proctorctl resume api --reason=test >/dev/null
check "wait on one whose requirement is paused answers at once" \
    "api: will not be ready: not started: requires held, which is paused; 4" \
    "$(timeout 20 proctorctl wait api 2>"$folder/waited"); 4"
check "after does not wait for one that waits for a held one" "web: active, queued-after-stop, generation 1, ready, 0" \
    "$(proctorctl restart web --wait --timeout=20s --reason=test | sed 's/, idle//'), ${PIPESTATUS[0]}"

draining() { # UNTIL: a command that ends when it may end
    cat <<Y
name: drains
exec: [/bin/sh, -c, "trap '$1; exit' TERM; echo x >$folder/drains; while :; do sleep .05; done"]
Y
}
begin_to_remove() {
    rm -f "$folder/drains"
    draining "$1" >"$folder/drains.yaml"
    proctorctl add "$folder/drains.yaml" --reason=test >/dev/null
    until_true test -s "$folder/drains"
    proctorctl remove drains --reason=test >/dev/null
}
echo '{name: drains, exec: [/bin/sleep, "1000"]}' >"$folder/newer.yaml"
check "a dry run of add says that it is one" "added      drains
starts     drains; 0" \
    "$(proctorctl add "$folder/newer.yaml" --dry-run --reason=test); $?"
begin_to_remove "sleep .3"
check "a child that is being removed counts as absent" "/org/proctor1/child/drains; 0" \
    "$(timeout 20 proctorctl add "$folder/newer.yaml" --reason=test); $?"
check "and the newer one is there" "ready" \
    "$(proctorctl wait drains --timeout=20s --quiet; proctorctl --json=short list drains | grep -o '"status":"[a-z]*"' | cut -d'"' -f4)"
proctorctl remove drains --reason=test --wait >/dev/null
begin_to_remove "until test -e $folder/drained; do sleep .05; done"
check "a wait for its end has a limit" "proctorctl: nothing was added; waits for: removal: drains" \
    "$(timeout 20 proctorctl add "$folder/newer.yaml" --wait --timeout=50ms --reason=test 2>&1 | cut -d: -f1-4)"
touch "$folder/drained"

proctorctl pause stubborn --reason=test >/dev/null
until_true stop_failed
check "a resume behind a stop that failed is no failure of its own" \
    "stubborn: active (was paused), cancelling, stop failed: did not end within its stop timeout; 0" \
    "$(proctorctl resume stubborn --reason=test); $?"
# Arguments of the command line go behind those of the manifest, however it is written.
say='[/bin/sh, -c, "echo \"$@\" >&$PROCTOR_RESULT_FD", sh'
echo "{name: flow, exec: $say, hi]}" >"$folder/flow.yaml"
printf -- '---\nname: block\nexec: %s]\narguments: [one]\n...\n' "$say" >"$folder/block.yaml"
check "run gives its arguments to a manifest in flow style" "hi a b; 0" \
    "$(proctorctl run "$folder/flow.yaml" --reason=test -- a b); $?"
check "run gives its arguments behind those of the manifest" "one two; 0" \
    "$(proctorctl run "$folder/block.yaml" --reason=test -- two); $?"
echo '{name: wrong, exec: [' >"$folder/wrong.yaml"
proctorctl run "$folder/wrong.yaml" --reason=test -- a >"$folder/waited" 2>&1
check "run of a manifest that cannot be read names the place" "1" "$(grep -c 'line 2, column' "$folder/waited")"

# A doubt has two sources, and only one of them is a heartbeat.
cat >"$folder/ill.yaml" <<Y
name: ill
exec: [/bin/sleep, "1000"]
readiness: check
health_check: {exec: [/usr/bin/test, -e, $folder/well], interval: 50ms, retries: 1}
Y
liveness() { proctorctl status "$1" | grep -E '^ *(liveness|heartbeat):' | sed 's/^ *//' | paste -sd' '; }
ails() { sentence ill | grep -q "its health checks fail"; }
touch "$folder/well"
proctorctl add "$folder/ill.yaml" --wait --timeout=20s --reason=test >/dev/null
check "nothing is said against a healthy child" "heartbeat: none yet" "$(liveness ill)"
rm "$folder/well"
until_true ails
check "failing health checks are not called a heartbeat" \
    "liveness: unhealthy, for the reason above heartbeat: none yet" "$(liveness ill)"

rm -f "$folder/drains"
cat >"$folder/waits.yaml" <<Y
name: waits
exec: [/bin/sh, -c, "trap 'until test -e $folder/go; do sleep .05; done; exit' TERM; echo x >$folder/drains; while :; do sleep .05; done"]
stop: {timeout: 60s}
Y
proctorctl add "$folder/waits.yaml" --reason=test >/dev/null
until_true test -s "$folder/drains"
proctorctl shutdown --reason=test >/dev/null
check "a resume in a shutdown says that it starts nothing" \
    "held: active (was paused), blocked-by-shutdown: the tree is shutting down; 3" \
    "$(proctorctl resume held --wait --reason=test); $?"
check "and has taken the hold away" "held: active, completed, no change; 0" "$(proctorctl resume held --reason=test); $?"
# The child may go only when the last call is with proctord, which ends after it.
proctorctl shutdown --wait --reason="the last call" >"$folder/report" &
last_call=$!
last_call_came() { proctorctl --json=short audit 2>/dev/null | grep -q "the last call"; }
until_true last_call_came
touch "$folder/go"
wait "$last_call"
check "the report says the same of it" "did not end within its stop timeout" \
    "$(sed -n 's/^stubborn *aborted *cancelled *0 *1 *//p' "$folder/report")"
plan
