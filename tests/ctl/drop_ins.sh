#!/bin/bash
# drop_ins.sh PROCTORD PROCTORCTL: files over a manifest: their order, mistakes in them, reloads, and how many.
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<'EOF'
children:
  - {name: a, exec: [/bin/sleep, "1000"], tags: [one]}
  - {name: b, exec: [/bin/sleep, "1000"], requires: [a]}
EOF
tree=$folder/children.d web=$folder/children.d/web.yaml
put() { mkdir -p "$(dirname "$1")"; cat >"$1"; }
told() { proctorctl check "$@" 2>&1 >/dev/null | sed "s:$folder/::g"; }
manifest() { proctorctl cat "$1" | grep -v '^#'; }
reload() { proctorctl reload --reason=test "$@" 2>&1 | sed "s:$folder/::g"; }
is_up() { proctorctl is-active a b --quiet; }
until_true is_up

# ---- what they do ----
put "$web" <<'X'
name: web
exec: [/bin/sleep, "1000"]
nice: 5
environment: {A: one, B: two}
tags: [x]
stop: {timeout: 5s, signal: SIGINT}
X
put "$web.d/20-second.yaml" <<'X'
nice: 9
tags: [y, z]
X
put "$web.d/10-first.yml" <<'X'
nice: 7
stop: {timeout: 9s}
description: of the site
criticality: optional
X
put "$web.d/30-third.yaml" <<'X'
criticality:
oom_score_adj: null
X
: | put "$web.d/40-empty.yaml"
echo 'nice: 1' | put "$web.d/notes.txt"
check "a reload reads them" "added      web
unchanged  2" "$(reload)"
check "in the order of their names" 'name: web
exec: [/bin/sleep, "1000"]
nice: 9
environment: {HIDDEN: "the environment is not shown"}
tags: [y, z]
stop: {timeout: 9s, signal: SIGINT}
description: "of the site"' "$(manifest web)"
check "cat: which keys come from where" "# web.yaml
# web.yaml.d/10-first.yml: nice, stop.timeout, description, criticality
# web.yaml.d/20-second.yaml: nice, tags
# web.yaml.d/30-third.yaml: criticality, oom_score_adj
# web.yaml.d/40-empty.yaml" "$(proctorctl cat web | grep '^#' | sed "s:$tree/::")"
check "cat --json" "4 ['nice', 'tags']" "$(proctorctl --json=short cat web | python3 -c '
import json, sys
a = json.load(sys.stdin)["drop_ins"]
print(len(a), a[1]["keys"])')"

# ---- changes ----
echo 'tags: [w]' | put "$web.d/20-second.yaml"
check "a reload sees a change" "pending    web
unchanged  2" "$(reload)"
check "what it does not say any more comes from below" "nice: 7" "$(manifest web | grep nice)"
check "nothing has changed" "unchanged  3" "$(reload)"
rm -r "$web.d"
reload >/dev/null
check "a folder that has gone" "nice: 5 tags: [x]" "$(manifest web | grep -E 'nice|tags' | paste -sd' ')"
mkdir "$folder/elsewhere"
echo 'tags: [linked]' >"$folder/elsewhere/x.yaml"
ln -s "$folder/elsewhere" "$web.d"
ln -s x.yaml "$folder/elsewhere/y.yaml"
reload >/dev/null
check "a link to a folder, with a link in it" "tags: [linked]" "$(manifest web | grep tags)"
rm "$folder/elsewhere/x.yaml"
check "a link to nothing" "1" "$(reload | grep -c "web.yaml.d/y.yaml: No such file or directory")"
check "the child runs on" "0" "$(proctorctl is-active web --quiet; echo $?)"
rm "$web.d"

# ---- children in a list ----
put "$tree/tree.yaml.d/x.yaml" <<'X'
children:
  - {name: b, nice: 3, requires: []}
X
reload >/dev/null
check "a child of a list" "requires: [] nice: 3" "$(manifest b | grep -E 'nice|requires' | paste -sd' ')"
check "the other one" "" "$(manifest a | grep nice)"
check "cat of it" "children[b].nice, children[b].requires" "$(proctorctl cat b | sed -n 's/^# .*x.yaml: //p')"

# ---- mistakes ----
mistake() { # WHAT EXPECTED, the drop-in on standard input
    put "$web.d/50-bad.yaml"
    check "$1" "children.d/web.yaml.d/50-bad.yaml:$2" "$(told "$tree")"
    check "$1: nothing is done" "1" "$(reload --dry-run | grep -c "children.d/web.yaml.d/50-bad.yaml:$(
        echo "$2" | cut -d: -f1,2)")"
    rm "$web.d/50-bad.yaml"
}
mistake "an unknown key" '2:1: nise: unknown key, did you mean "nice"?' <<<$'\nnise: 4'
mistake "a value" '1:17: stop.timeout: expected a duration such as 10s, or infinity, got "x"' <<<'stop: {timeout: x}'
mistake "a dependency" '1:12: no child is called "ghost"' <<<'requires: [ghost]'
mistake "another name" '1:7: name: a drop-in cannot rename a child' <<<'name: other'
mistake "a list" '1:1: a drop-in is a mapping of the keys that it changes' <<<'[nice]'
mistake "no YAML" '2:1: not YAML: did not find expected node content while parsing a flow node' <<<'a: ['
printf 'children:\n  - {name: nobody, nice: 3}\n' | put "$tree/tree.yaml.d/y.yaml"
check "a child that is not there" 'children.d/tree.yaml.d/y.yaml:2:5: children: there is no "nobody" that this could change' \
    "$(told "$tree")"
rm "$tree/tree.yaml.d/y.yaml"
mkfifo "$web.d/50.yaml"
check "a FIFO" "children.d/web.yaml.d/50.yaml: is a FIFO, not a file" "$(told "$tree")"
rm "$web.d/50.yaml"

# ---- the same by every way to name the file ----
echo 'tags: [way]' | put "$web.d/10.yaml"
echo 'nise: 1' | put "$web.d/11.yaml"
for way in "$tree" "$web" "$tree/*.yaml" "$tree/w*"; do
    check "named ${way#"$folder/"}" 1 "$(told "$way" | grep -c 'web.yaml.d/11.yaml:1:1: nise')"
done
rm "$web.d/11.yaml"

# ---- how many ----
for i in $(seq 100 161); do echo "nice: 1" >"$web.d/$i.yaml"; done # and 10.yaml: 63
check "63 drop-ins" "" "$(told "$tree")"
echo "nice: 2" >"$web.d/162.yaml"
check "64 drop-ins" "" "$(told "$tree")"
echo "nice: 2" >"$web.d/163.yaml"
check "65 drop-ins" "children.d/web.yaml.d/163.yaml: is one too many: a manifest has at most 64 drop-ins" \
    "$(told "$tree")"
rm -r "$web.d"

# ---- over restarts of proctord ----
echo 'tags: [kept]' | put "$web.d/10.yaml"
reload >/dev/null
proctorctl reexec --reason=test >/dev/null
check "after an upgrade in place" "tags: [kept]" "$(manifest web | grep tags)"
check "and then nothing has changed" "unchanged  3" "$(reload)"
plan
