#!/bin/bash
# screen.sh PROCTORD PROCTORCTL: "proctorctl top" in a terminal of a known size, with keys typed into
# it, and its screens compared, but for what is different each time (pids, times, memory).
. "$(dirname "$0")/proctord.sh"
if ! command -v tmux >/dev/null; then
    echo "1..0 # SKIP tmux is not here"
    exit 0
fi
begin "$1" "$2" <<'EOF'
supervisor: root
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: declared, kind: async_worker}
  - {name: gives-up, exec: [/bin/false], restart_limit: {burst: 1, interval: 1h}, backoff: {initial: 1ms, max: 2ms}}
  - supervisor: payments
    strategy: one-for-all
    children:
      - {name: a-ledger-with-quite-a-long-name, kind: async_worker}
EOF
gave_up() { proctorctl status gives-up | grep -q quarantined; }
until_true gave_up

terminal=proctor-test-$$
export LC_ALL=C.UTF-8
tmux() { command tmux -L "$terminal" "$@"; }
tmux -f /dev/null new-session -d -x 90 -y 17 "NO_COLOR=1 proctorctl top; echo ended \$?; exec sleep 1000"
trap 'tmux kill-server; kill $daemon; wait $daemon; rm -rf "$folder"' EXIT

# What is different each time, as words of the same width.
screen() {
    tmux capture-pane -p | sed -E -e 's/ +$//' \
        -e 's/(ready {6}) +[0-9]+ +[0-9]+[sm] +[0-9.-]+ +[0-9.]+[KM]/\1     PID    UP  CPU% MEMORY/' \
        -e 's/[0-9.]+ s( ago|\b)/TIME/' -e 's/ \(pid [0-9]+/ (pid PID/' \
        -e 's/[▁▂▃▄▅▆▇█]/ /g' -e 's/ +$//' -e 's/^[0-9:.]{12}/HH:MM:SS.mmm/' \
        -e 's/process [0-9]+/process PID/'
}
shows() { screen | grep -q -- "$1"; }
keys() { tmux send-keys "$@"; }

until_true shows "MEMORY      1"
check "the screen" "\
proctor: 4 children, 1 running, 1 in trouble; trouble first
CHILD                    STATE           PID    UP  CPU% MEMORY STARTS  STARTS    CPU
gives-up                 quarantined       -     -     -      -      -
declared                 none              -     -     -      -      -
payments/a-..a-long-name none              -     -     -      -      -
web                      ready           PID    UP  CPU% MEMORY      1









gives-up: quarantined by policy TIME: \"restart limit used up: 2 counted exits within
? help  q quit  enter why  / search  s sort  p pause u resume r restart x D" \
    "$(screen)"

keys s
until_true shows "by name"
check "sorted by name" "declared" "$(screen | sed -n 3p | cut -d' ' -f1)"
keys s s s
until_true shows "by starts"
check "sorted by starts" "web" "$(screen | sed -n 3p | cut -d' ' -f1)"
keys s
until_true shows "trouble first"

keys /
keys -l we
until_true shows "^/we"
keys Enter
until_true shows 'with "we"'
check "a search leaves what has the text" "web" \
    "$(screen | sed -n '3,6p' | cut -d' ' -f1 | grep .)"

keys p
until_true shows "reason to pause it:"
keys -l "maintenancex"
keys BSpace
until_true shows "reason to pause it: maintenance"
keys Enter
until_true shows "web: paused (was active)"
paused() { shows "^web *paused"; }
check "a verb asks for the reason, and tells what came of it" 0 "$(until_true paused; echo $?)"
check "the reason is with the child" "paused by root (uid 0)TIME: \"maintenance\"" \
    "$(proctorctl status web | sed -n '1s/^web: //p' | sed -E 's/ [0-9.]+ s ago/TIME/')"

keys u
until_true shows "reason to resume it:"
keys Escape
not_asked() { ! shows "reason to"; }
check "escape takes it back" "0 paused" "$(until_true not_asked; echo "$?" \
    "$(proctorctl --json=short status web | grep -o '"operation":"[a-z]*"' | cut -d'"' -f4)")"

keys r
until_true shows "reason to restart it:"
keys -l "no way"
keys Enter
check "a refusal is told too" 0 "$(until_true shows "rejected.*resume it first"; echo $?)"

keys Enter
until_true shows "web cannot be restarted"
check "why: recent events" "\
HH:MM:SS.mmm     NN  web is asked to stop (pause)
HH:MM:SS.mmm     NN  web stopped (SIGTERM), and stays down: it is held
HH:MM:SS.mmm     NN  web received command restart from root (uid 0): \"no way\"
HH:MM:SS.mmm     NN  web cannot be restarted: the child is paused: resume it first" \
    "$(screen | grep '^HH' | sed -E 's/mmm +[0-9]+/mmm     NN/' | tail -4)"
keys Enter

keys '?'
check "help" 0 "$(until_true shows "less is more\|pause, resume, restart, quarantine, remove it"; echo $?)"
keys '?'

# ---- 80 x 24 ----
proctorctl pause web --reason="a reason that is so long that it does not fit on one line, and goes on to a second one, \
where it ends" --wait --quiet
tmux resize-window -x 80 -y 24
keys /
until_true shows "^/"
keys Enter
keys Home
whole() { screen | tail -3 | head -2 | paste -sd' ' | grep -q 'gives-up: .*burst is 1"$'; }
check "80 x 24: the sentence is whole, over two lines" 0 "$(until_true whole; echo $?)"
check "80 x 24: all keys" "? help  q quit  enter why  / search  s sort  p pause u resume r restart x D" \
    "$(screen | tail -1)"
trouble() { [ "$(screen | sed -n '3,5p' | cut -d' ' -f1 | paste -sd' ')" = "gives-up web declared" ]; }
check "80 x 24: trouble first" 0 "$(until_true trouble; echo $?)"
proctorctl resume web --reason=test --wait --quiet

tmux resize-window -x 130 -y 10
wide() { [ "$(screen | sed -n 2p | grep -o 'STATE.*CPU$' | wc -c)" -gt 75 ]; }
check "it follows the size of the terminal" 0 "$(until_true wide; echo $?)"

keys q
until_true shows "ended 0"
check "q ends it" "ended 0" "$(screen | grep ended)"
check "without a terminal it says what else there is" \
    'proctorctl: top: needs a terminal; "proctorctl list" shows it once' \
    "$(proctorctl top 2>&1 </dev/null)"
plan
