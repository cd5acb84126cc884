#!/bin/bash
# words.sh PROCTORD PROCTORCTL: what people who know other tools type, and what scripts ask.
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<'EOF'
supervisor: pay
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: bad, exec: [/bin/sh, -c, "echo no; printf 'cannot bind: \\033[31min use\\n' >&2; exit 1"], restart_limit: {burst: 0}}
  - {name: hold, exec: [/bin/sleep, "1000"]}
EOF
hint() { proctorctl "$@" 2>&1 >/dev/null </dev/null | grep ^Hint; }
code() { "$@" >"$folder/out" 2>&1 </dev/null; echo $?; }
is_given_up() { proctorctl is-failed pay/bad --quiet; }
until_true is_given_up
is_up() { proctorctl is-active pay/web --quiet; }
until_true is_up

# ---- hints ----
check "a word of systemd" 'Hint: "reload" reads the manifests again' "$(hint daemon-reload)"
check "a word of Supervisor" 'Hint: "log ID -f" follows the output of a child' "$(hint tail web)"
check "a slip" 'Hint: did you mean "status"?' "$(hint statsu)"
check "a slip in a word of another tool" "$(hint start)" "$(hint strat)"
check "half of it is too far" "" "$(hint nope)"
check "nothing is like it" "" "$(hint wonderful)"
check "nor like a short one" "" "$(hint ab)"
check "help STOP" "$(hint stop)" "$(hint help stop)"
check "a child below a supervisor" 'Hint: did you mean "pay/web"?' "$(hint status web)"
check "a slip in an id" 'Hint: did you mean "pay/web"?' "$(hint restart pay/wep -m x)"
check "three slips are too many" "" "$(hint restart pay/xyz -m x)"
check "a supervisor without its slash" \
    'Hint: it is a supervisor; "pay/" with a slash means all children below it' "$(hint pause pay -m x)"
check "the exit code is that of the error" "1 5" "$(code proctorctl stop) $(code proctorctl status web)"

# ---- questions ----
check "is-active" "0 3 3 5" "$(code proctorctl is-active pay/web) $(code proctorctl is-active pay/bad) $(
    code proctorctl is-active pay/web pay/bad) $(code proctorctl is-active pay/no)"
check "is-active says which" "$(printf 'pay/web: ready\npay/bad: none')" \
    "$(proctorctl is-active pay/web pay/bad)"
check "is-failed" "0 3 0 0 5" "$(code proctorctl is-failed pay/bad) $(code proctorctl is-failed pay/web) $(
    code proctorctl is-failed pay/web pay/bad) $(code proctorctl is-failed) $(code proctorctl is-failed no)"
check "is-active as JSON" '{"child":"pay/web","state":"ready"}' "$(proctorctl --json=short is-active pay/web)"
check "is-failed as JSON" '[{"child":"pay/bad","state":"failed"}]' "$(proctorctl --json=short is-failed)"
check "list --failed" "pay/bad" "$(proctorctl --no-legend list --failed | cut -d' ' -f1)"
proctorctl quarantine pay/hold -m "out of the way" --wait --quiet
check "a quarantined one, too" "$(printf 'pay/bad\npay/hold')" \
    "$(proctorctl --no-legend list --failed | cut -d' ' -f1)"
check "as many as NFailed" 2 "$(proctorctl --json=short list --failed | grep -o '"id"' | wc -l)"
check "show" "$(printf 'Status=ready\nId=pay/web')" \
    "$(proctorctl show pay/web Status Id | sort -r)"
check "show: values only" "ready" "$(proctorctl --no-legend show pay/web Status)"
check "show: no such property" 1 "$(code proctorctl show pay/web Nothing)"
check "cat" "$(printf '# %s/children.d/tree.yaml\nname: web\nexec: [/bin/sleep, "1000"]' "$folder")" \
    "$(proctorctl cat pay/web)"

check "why it failed, in its own words" 1 \
    "$(proctorctl status pay/bad | grep -c 'exit code 1: "cannot bind: .*in use"')"
check "and nothing that a terminal obeys" 0 "$(proctorctl status pay/bad | grep -c $'\\033')"
check "a line has the name before it" "pay/bad: no" "$(grep -m 1 '^pay/bad: ' "$folder/errors")"

# ---- times ----
check "events --since a span" "$(proctorctl events pay/web)" "$(proctorctl events --since=1h pay/web)"
check "events --since a day" "$(proctorctl events pay/web)" "$(proctorctl events --since=yesterday pay/web)"
check "events --since now" "" "$(proctorctl events --since=0 pay/web)"
check "events --after all" "" "$(proctorctl events --after=1000000 pay/web)"
check "the same for the audit" "$(proctorctl audit)" "$(proctorctl audit --since=2020-01-01)"
check "as the audit prints it" 0 "$(code proctorctl audit --since="2020-01-01 10:11:12.345")"
check "with a T" 0 "$(code proctorctl audit --since=2020-01-01T10:11:12)"
check "now" "" "$(proctorctl events --since=now pay/web)"
check "no such day" 1 "$(code proctorctl audit --since=2026-02-31)"
check "no time" "1 1 1 1" "$(for t in tomorrow 25:00 2026-13-01 "10 m x"; do
    code proctorctl events --since="$t"; done | tr '\n' ' ' | sed 's/ $//')"

# ---- which bus ----
mkfifo "$folder/up"
dbus-daemon --session --nofork --address="unix:path=$folder/other" --print-address=3 3>"$folder/up" \
    2>>"$folder/errors" &
other=$!
trap 'kill $other $daemon; wait $daemon; rm -rf "$folder"' EXIT
read -r empty <"$folder/up"
mine=$PROCTOR_BUS_ADDRESS
nowhere=unix:path=$folder/nowhere
on() { # SYSTEM SESSION OPTION...
    local system=$1 session=$2
    shift 2
    env -u PROCTOR_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS="$system" DBUS_SESSION_BUS_ADDRESS="$session" \
        proctorctl "$@" is-active pay/web 2>&1 | head -1
}
check "the system bus first" ready "$(on "$mine" "$empty")"
check "the session bus where only that has a proctord" ready "$(on "$empty" "$mine")"
check "or where there is no other" ready "$(on "$nowhere" "$mine")"
check "the system bus where there is no other" ready "$(on "$mine" "$nowhere")"
check "on neither: it is the system bus that is told" 1 "$(on "$empty" "$empty" | grep -c "$folder/other")"
check "--user is the session bus" 1 "$(on "$mine" "$nowhere" --user | grep -c "cannot be reached")"
check "--system is the system bus" 1 "$(on "$nowhere" "$mine" --system | grep -c "cannot be reached")"
check "--address is neither" ready "$(on "$nowhere" "$nowhere" --address="$mine")"

# ---- edit ----
file=$folder/children.d/tree.yaml
export VISUAL="sed -i s/1000/2000/"
check "edit with a reason reloads" "pending    pay/web" "$(proctorctl edit pay/web -m longer | grep web)"
check "the file is changed" 2 "$(grep -c 2000 "$file")"
export VISUAL="sed -i s/exec/exek/"
check "what does not pass check" 1 "$(code proctorctl edit pay/web)"
check "leaves the file as it was, and what was written beside it" "2 2 yes" \
    "$(grep -c 'exec: ./bin/sleep' "$file") $(grep -c 'exek: ./bin/sleep' "$file.edited") $(
    grep -q "is unchanged; what you have written is in" "$folder/out" && echo yes)"
check "which is not overwritten" "1 2" "$(code proctorctl edit pay/web) $(grep -c 'exek: ./bin/sleep' "$file.edited")"
check "which it says" 1 "$(grep -c "from an earlier edit" "$folder/out")"
rm "$file.edited"
check "edit has no dry run" "1 no" "$(code proctorctl edit pay/web --dry-run) $(
    [ -e "$file.edited" ] && echo yes || echo no)"
check "nothing edited" "0 no" "$(VISUAL=true code proctorctl edit pay/web) $(
    [ -e "$file.edited" ] && echo yes || echo no)"
check "the editor fails" "1 no" "$(VISUAL=false code proctorctl edit pay/web) $(
    [ -e "$file.edited" ] && echo yes || echo no)"
proctorctl add - -m "over the bus" --quiet <<<'{name: bus, exec: [/bin/sleep, "1000"]}' >"$folder/out"
check "no file to edit" 1 "$(code proctorctl edit bus)"
check "and it says what to do" 1 "$(grep -c "add --replace FILE" "$folder/out")"
plan
