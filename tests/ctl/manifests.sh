#!/bin/bash
# Manifests with anchors, aliases and merge keys on every way into a real proctord: its start, a
# reload, AddChild, RunJob: manifests.sh PROCTORD PROCTORCTL
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<'EOF'
# environment: {OLD: s3cret}
x-sleep: &sleep {exec: [/bin/sleep, "1000"], environment: {TOKEN: s3cret}}
children:
  - {name: a, <<: *sleep, stdout: &out {file: @/a.log}} # s3cret
  - {name: b, exec: &e [/bin/sh, -c, "echo I am b; exec sleep 1000"], stdout: *out}
  - {supervisor: one, children: &tree [{name: x, exec: [/bin/sleep, "1000"]}, {name: y, exec: *e}]}
  - {supervisor: two, children: *tree}
EOF
ids() { proctorctl --json=short list | grep -o '"[a-z]*/\?[a-z]*"' | tr -d '"' | sort -u |
    grep -x "a\|b\|one/.\|two/.\|late/.\|later/." | tr '\n' ' '; }
alive() { kill -0 $daemon && echo alive; }
until_true test -s "$folder/a.log"

check "the start: each has its own" "a b one/x one/y two/x two/y " "$(ids)"
check "log: of a child whose text used an alias" "I am b" "$(proctorctl log b 2>&1 | tail -1)"
manifest_of() { busctl --address="$PROCTOR_BUS_ADDRESS" --json=short get-property org.proctor1 \
    /org/proctor1/child/"$1" org.proctor1.Child Manifest | sed 's/\\"/"/g; s/\\n/|/g'; }
check "Manifest: no alias, no comment, no secret" \
    '{"type":"s","data":"name: a|stdout: {file: '"$folder"'/a.log}|exec: [/bin/sleep, "1000"]|environment: {HIDDEN: "the environment is not shown"}|"}' \
    "$(manifest_of a)"

add() { printf '%s\n' "$1" | proctorctl add - --reason=test 2>&1; }
add '{children: [{supervisor: late, children: &tree [{name: x, exec: [/bin/sleep, "1000"]}]}, {supervisor: later, children: *tree}]}' >/dev/null
check "add: children by an alias" "a b late/x later/x one/x one/y two/x two/y " "$(ids)"
check "add: an alias within itself" "1 alive" \
    "$(add '{children: &a [*a]}' | grep -c 'inside the node that it refers to') $(alive)"
check "add: an alias of nothing" "1 alive" "$(add '{name: z, exec: *e}' | grep -c 'no anchor') $(alive)"
bomb='x-0: &l0 [a, a, a, a, a, a, a, a]'
for i in 1 2 3 4 5 6 7 8 9; do
    bomb="$bomb
x-$i: &l$i [*l$((i - 1)), *l$((i - 1)), *l$((i - 1)), *l$((i - 1)), *l$((i - 1))]"
done
check "add: aliases that stand for too much" "1 alive" \
    "$(add "$bomb
name: z
tags: *l9" | grep -c 'aliases up to here') $(alive)"
deep=$(printf '[%.0s' $(seq 40000))
check "add: 40,000 levels" "1 alive" "$(add "$deep" | grep -c 'nested more than 32') $(alive)"
printf '{name: job, exec: &e [/bin/true], arguments: &a [*a]}' >"$folder/job.yaml"
check "run: an alias within itself" "1 alive" \
    "$(proctorctl run "$folder/job.yaml" --reason=test 2>&1 | grep -c 'inside the node that it refers to') $(alive)"
printf 'x-t: &t {file: %s/job.log}\nname: job\nexec: [/bin/echo, done]\nstdout: *t\n' "$folder" >"$folder/job.yaml"
proctorctl run "$folder/job.yaml" --reason=test --wait >/dev/null 2>&1
until_true test -s "$folder/job.log"
check "run: an alias" "done" "$(cat "$folder/job.log")"

# ---- a stop without a deadline waits, whatever it takes ----
add '{name: slow, exec: [/bin/sh, -c, "trap : TERM; until [ -e '"$folder"'/go ]; do sleep 0.02; done; exit 3"],
      restart: temporary, stop: {timeout: 0}}' >/dev/null
property() { busctl --address="$PROCTOR_BUS_ADDRESS" get-property org.proctor1 \
    /org/proctor1/child/slow org.proctor1.Child "$1"; }
is() { [ "$(property "$1")" = "$2" ]; }
until_true is Status 's "ready"'
proctorctl pause slow --reason=test --quiet
until_true is Status 's "cancelling"'
check "stop: {timeout: 0}: no deadline runs" 't 0' "$(property StopDeadlineUSec)"
touch "$folder/go"
until_true is Status 's "none"'
check "and it ends by itself" 1 "$(proctorctl events slow --kind=child-exited 2>/dev/null | grep -c '3')"

# ---- a change of what an anchor names is a change of all that use it ----
sed -i 's/I am b/I am changed/' "$folder/children.d/tree.yaml"
check "reload: each child that uses the anchor has changed" "b one/y two/y" \
    "$(proctorctl reload --dry-run --reason=test 2>&1 | grep -o '\bb\b\|one/[xy]\|two/[xy]' | sort -u | tr '\n' ' ' | sed 's/ $//')"
sed -i 's/^# environment.*/# another comment/; s/ # s3cret//; s/I am changed/I am b/' "$folder/children.d/tree.yaml"
check "reload: a comment is no change" "" \
    "$(proctorctl reload --dry-run --reason=test 2>&1 | grep -o '\bchanged: [1-9]')"
printf 'children: &a [*a]\n' >"$folder/children.d/bomb.yaml"
kill -HUP $daemon
until_true grep -q 'inside the node that it refers to' "$folder/errors"
check "SIGHUP: an alias within itself" "1 alive" \
    "$(grep -c 'bomb.yaml:1:15: the alias' "$folder/errors") $(alive)"
check "and nobody is gone" "a b late/x later/x one/x one/y two/x two/y " "$(ids)"
plan
