#!/bin/bash
# check.sh PROCTORD PROCTORCTL: every mistake at once, each with its place, and what is not on this machine.
. "$(dirname "$0")/proctord.sh"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
proctord=$(realpath "$1") ctl=$(realpath "$2")
cd "$folder" || exit 1
told() { "$ctl" check "$@" 2>&1 >/dev/null; }

cat >many.yaml <<'X'
children:
  - {name: web, exec: [/bin/true], restrat: always, nice: cold, requires: ["a b", db, "c d"]}
  - {name: db, exec: [/bin/true], stop: {timeout: soon, signal: SIGFOO}, tags: ["a\tb", b, "c\td"]}
  - {name: bad name, exec: []}
  - supervisor: pay
    strategy: all-for-one
    children:
      - {name: a, exec: [/bin/true], group: g, requires: [db, ghost]}
      - {name: b, exec: [/bin/true], environment: {A: 1, "B=C": 2, "D E": 3}, limits: {nofile: x, none: 1}}
      - {name: c, exec: [/bin/true], after: [pay/b]}
  - {name: d, exec: [/bin/true], after: [spirit, web], requires: [ghost], group: k}
X
check "every mistake of a file" 'many.yaml:2:36: children[0].restrat: unknown key, did you mean "restart"?
many.yaml:2:59: children[0].nice: expected a whole number from -20 to 19, got "cold"
many.yaml:2:76: children[0].requires: "a b" is not a valid child id
many.yaml:2:87: children[0].requires: "c d" is not a valid child id
many.yaml:3:51: children[1].stop.timeout: expected a duration such as 10s, or infinity, got "soon"
many.yaml:3:65: children[1].stop.signal: expected a signal such as SIGTERM, got "SIGFOO"
many.yaml:3:81: children[1].tags: must be one line without line ends, tabs or other control characters
many.yaml:3:92: children[1].tags: must be one line without line ends, tabs or other control characters
many.yaml:4:12: children[2].name: expected 1 to 64 characters of A-Z a-z 0-9 _ . @ : -, got "bad name"
many.yaml:4:28: children[2].exec: must name a program
many.yaml:6:15: children[3].strategy: expected one of one-for-one, one-for-all, rest-for-one, got "all-for-one"
many.yaml:9:58: children[3].children[1].environment: "B=C" is not a valid variable name
many.yaml:9:68: children[3].children[1].environment: "D E" is not a valid variable name
many.yaml:9:96: children[3].children[1].limits: expected a limit such as 1024, 64M, infinity or SOFT:HARD, got "x"
many.yaml:9:99: children[3].children[1].limits: unknown limit "none"
many.yaml:8:63: no child is called "ghost"
many.yaml:11:82: its supervisor has no group called "k"
many.yaml:11:67: no child is called "ghost"
many.yaml:11:42: no child is called "spirit"' "$(told many.yaml)"
check "proctord --check: the same" "$(told many.yaml)" "$("$proctord" --check --manifests=many.yaml 2>&1)"
check "their exit code" "1 1" "$("$ctl" check many.yaml 2>/dev/null; echo -n "$? "
    "$proctord" --check --manifests=many.yaml 2>/dev/null; echo $?)"
check "as JSON" "19 19 true" "$("$ctl" --json=short check many.yaml 2>/dev/null | python3 -c '
import json, sys
a = json.load(sys.stdin)
print(a["mistakes_count"], len(a["mistakes"]), str(a["error"]["message"] == a["mistakes"][0]).lower())')"

# ---- of the tree ----
cat >tree.yaml <<'X'
children:
  - {name: a, requires: [b]}
  - {name: b, requires: [a]}
  - {name: c, kind: sidecar, primary: d}
  - {name: d, kind: sidecar, primary: a}
  - {name: z, requires: [none/y, c], after: [none/y]}
  - {name: p}
  - {name: q, requires: [q]}
X
printf 'name: p\n' >double.yaml
printf 'name: x\nsupervisor: none\n' >x.yaml
printf 'name: y\nsupervisor: none\nrequires: [none/x]\n' >y.yaml
check "a tree" 'x.yaml:2:13: no supervisor is called "none"
y.yaml:2:13: no supervisor is called "none"
double.yaml:1:1: a child is already called "p"
tree.yaml:4:39: "d" is a sidecar itself, and can have none
tree.yaml:2:26: the dependencies form a cycle: a -> b -> a
tree.yaml:8:26: the dependencies form a cycle: q -> q' \
    "$(told x.yaml y.yaml tree.yaml double.yaml)"

# ---- several files, some of which cannot be read ----
printf 'a: [\n' >broken.yaml
: >empty.yaml
mkfifo pipe.yaml
printf 'name: ok\nexec: [/bin/true]\nrestart: perhaps\n' >word.yaml
check "files" 'broken.yaml:2:1: not YAML: did not find expected node content while parsing a flow node
empty.yaml:1:1: the manifest is empty
pipe.yaml: is a FIFO, not a file
none.yaml: no such file, folder or pattern
word.yaml:3:10: restart: expected one of permanent, transient, temporary, got "perhaps"' \
    "$(told broken.yaml empty.yaml pipe.yaml none.yaml word.yaml)"

# ---- how many are told ----
of() { printf 'name: a\nexec: [/bin/true]\n'; seq -f 'wrong_key_%.0f: 1' "$1"; }
rest() { case $1 in 101) echo 1 more mistake is not shown ;; 250) echo 150 more mistakes are not shown ;; esac; }
for count in 99 100 101 250; do
    of $count >bound.yaml
    check "$count mistakes" "$((count < 100 ? count : 100)) $(rest $count)" \
        "$(told bound.yaml | grep -c unknown) $(told bound.yaml | grep shown)"
done
for count in 99 100 101 250; do
    { echo 'children:'; seq -f '  - {name: c%.0f, requires: [none]}' "$count"; } >bound.yaml
    check "$count mistakes of the tree" "$((count < 100 ? count : 100)) $((count > 100))" \
        "$(told bound.yaml | grep -c "no child is called") $(told bound.yaml | grep -c shown)"
done

# ---- what is not here ----
cat >here.yaml <<X
name: web
exec: [/usr/bin/nonesuch, "\$HOME/x", "100%", "a%i", "\$5", "\${B}"]
user: nonesuch
unix_group: nogroups
supplementary_groups: [nogroups]
working_directory: $folder/none
environment: {A: "\${B}/c", C: plain, D: "%I"}
environment_file: $folder/missing
stdout: {file: $folder/none/x.log}
sockets: [{name: a, listen: $folder/none/x}]
before: [[$folder, x], [$folder/here.yaml]]
after_start: [[/usr/bin/nonesuch]]
health_check: {exec: [/bin/sh, -c, "test \$HOME"], interval: 1s}
X
check "what is not here" "exec: the program /usr/bin/nonesuch is not on this machine
exec: \$HOME stays as it is: nothing replaces it, as there is no shell
exec: %i stays as it is: nothing replaces it in a manifest
exec: \${B} stays as it is: nothing replaces it, as there is no shell
before: $folder is not a program, but a directory
before: $folder/here.yaml is not executable
after_start: the program /usr/bin/nonesuch is not on this machine
environment: \${B} stays as it is: nothing replaces it, as there is no shell
environment: %I stays as it is: nothing replaces it in a manifest
user: there is no user \"nonesuch\" on this machine
unix_group: there is no group \"nogroups\" on this machine
supplementary_groups: there is no group \"nogroups\" on this machine
working_directory: the directory $folder/none is not on this machine
environment_file: $folder/missing is not on this machine
stdout: the directory $folder/none is not on this machine
sockets: the directory $folder/none is not on this machine" \
    "$(told here.yaml | sed 's/^here.yaml:1:1: warning: web: //')"
check "a warning is no mistake" 0 "$("$ctl" check here.yaml >/dev/null 2>&1; echo $?)"
check "warnings as JSON" 16 "$("$ctl" --json=short check here.yaml | python3 -c '
import json, sys
print(len(json.load(sys.stdin)["warnings"]))')"
cat >there.yaml <<X
name: web
exec: [/bin/sh, -c, "echo \$HOME %i"]
user: root
runtime_directory: web
logs_directory: [web]
working_directory: /run/web
stdout: {file: /var/log/web/x.log}
environment_file: -/etc/none
X
check "what is made, or may be missing" "" "$(told there.yaml)"
# Bubblewrap is asked for where a sandbox needs it, and only there.
echo '{name: web, exec: [/bin/true], sandbox: {tmp: private}}' >boxed.yaml
echo '{name: web, exec: [/bin/true], sandbox: none}' >open.yaml
lacks=$([ -x "$BWRAP" ] || echo "boxed.yaml:1:1: warning: web: sandbox: the program $BWRAP is not on this machine")
check "a sandbox needs bubblewrap" "$lacks" "$(told boxed.yaml)"
check "and no sandbox needs none" "" "$(told open.yaml)"
plan
