#!/bin/bash
# signals.sh PROCTORD PROCTORCTL: what each signal does to proctord, started as it should be, by a
# hostile parent, at a terminal, and as PID 1.
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1") proctorctl=$(realpath "$2")
folder=$(mktemp -d)
mkfifo "$folder/never"
daemon= wrapper=
leave() { # nothing behind
    local child=$(tail -1 "$folder/pids" 2>/dev/null)
    kill -9 $daemon $wrapper 2>/dev/null
    [ "$(cat "/proc/$child/comm" 2>/dev/null)" = sleep ] && kill -9 "$child"
    wait
    rm -rf "$folder"
}
trap leave EXIT
export PROCTOR_BUS_ADDRESS=unix:path=$folder/run/bus
cat >"$folder/tree.yaml" <<YAML
children:
  - name: web
    exec: [/bin/sh, -c, "echo \$\$ >>$folder/pids; exec sleep 1000"]
    backoff: {initial: 10ms}
    restart_limit: {burst: 1000, interval: 1h}
YAML
options=("$proctord" --private-bus "--manifests=$folder/tree.yaml" "--state-dir=$folder/state"
    "--runtime-dir=$folder/run")
is_up() { grep -q "^bus: " "$folder/out" && [ -s "$folder/pids" ]; }
start() { # [WRAPPER...]
    : >"$folder/out"
    "$@" "${options[@]}" >"$folder/out" 2>"$folder/log" &
    daemon=$!
    until_true is_up
}
fresh() { rm -rf "$folder/state" "$folder/run" "$folder/pids"; }
child() { tail -1 "$folder/pids"; }
lives() { [ -d "/proc/$1" ] && ! grep -q "^State:.Z" "/proc/$1/status" 2>/dev/null; }
gone() { ! lives "$1"; }
reloads() { grep -c "reloaded: " "$folder/log"; }
reloaded() { [ "$(reloads)" -gt "$1" ]; }
has_reloaded() { # a SIGHUP to PID; every signal before it has been handled then
    local before=$(reloads)
    kill -HUP "$1"
    until_true reloaded "$before" && echo yes
}
has_started() { [ "$(wc -l <"$folder/pids")" -ge "$1" ]; }
restarted() {
    local before=$(wc -l <"$folder/pids")
    kill -9 "$(child)"
    until_true has_started $((before + 1)) && echo yes
}

ends="INT QUIT TERM PWR RTMIN+3 RTMIN+4 RTMIN+5 RTMIN+6 RTMIN+13 RTMIN+14 RTMIN+15 RTMIN+16"
number() { kill -l "$1"; }
harmless() { # all that are left of 1 to 64, by number
    local signal end
    for signal in $(seq 64); do
        case $signal in 1 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 19 | 20 | 31) continue ;; esac
        for end in $ends; do [ "$signal" = "$(number "$end")" ] && continue 2; done
        echo "$signal"
    done
}
harmless=$(harmless)

fresh
start
before=$(child)
for signal in $harmless; do kill -"$signal" "$daemon"; done
check "it outlives every signal that means nothing" yes "$(has_reloaded "$daemon")"
check "and its child is not touched" "$before" "$(child)"
for signal in USR2 ALRM VTALRM PROF POLL XCPU TTIN TTOU STKFLT RTMIN RTMIN+1 RTMIN+7 RTMIN+30; do
    check "SIG$signal is said to mean nothing" 1 \
        "$(grep -c "SIG$signal, sent by PID $$ (uid $(id -u)), is ignored: proctord does not use it" "$folder/log")"
done
for _ in 1 2 3; do kill -USR2 "$daemon"; done
check "and not again and again" 1 "$(has_reloaded "$daemon" >/dev/null; grep -c SIGUSR2 "$folder/log")"
check "a child that ends is restarted" yes "$(restarted)"
kill -TSTP "$daemon" # stops it where its process group has a terminal, or a shell
kill -CONT "$daemon"
check "SIGCONT lets it go on after SIGTSTP" yes "$(has_reloaded "$daemon")"

for signal in SEGV ABRT BUS FPE ILL TRAP SYS; do
    before=$(child)
    kill -"$signal" "$daemon"
    wait "$daemon" 2>/dev/null
    result=$?
    check "SIG$signal ends it" $((128 + $(number $signal))) $result
    check "SIG$signal: its child lives" yes "$(lives "$before" && echo yes)"
    start
    check "SIG$signal: and is taken over" "$before" "$(child)"
done
kill -TERM "$daemon"
wait "$daemon"

for signal in $ends; do
    fresh
    start
    before=$(child)
    kill -s "$signal" "$daemon"
    wait "$daemon"
    check "SIG$signal shuts the tree down" 0 $?
    check "SIG$signal: nobody is left" yes "$(gone "$before" && echo yes)"
    check "SIG$signal is told" 1 "$(grep -c "SIG$signal: shutting the tree down" "$folder/log")"
done

# Started by a parent that ignores and blocks all there is.
cat >"$folder/hostile.py" <<'X'
import os, signal, sys
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except OSError:
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
os.execv(sys.argv[1], sys.argv[1:])
X
fresh
start python3 "$folder/hostile.py"
check "with all signals ignored and blocked: its children's ends are seen" yes "$(restarted)"
check "SIGHUP reloads" yes "$(has_reloaded "$daemon")"
kill -TERM "$daemon"
wait "$daemon"
check "SIGTERM ends it" 0 $?

# At a terminal, whose other end goes away when "$folder/hang" is written to.
cat >"$folder/terminal.py" <<'X'
import os, signal, sys
hang, ignored, arguments = sys.argv[1], sys.argv[2] == "nohup", sys.argv[3:]
pid, terminal = os.forkpty()
if pid == 0:
    out = os.open(os.environ["OUT"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    log = os.open(os.environ["LOG"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(log, 2)
    signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    os.execv(arguments[0], arguments)
with open(os.environ["PID"], "w") as file:
    file.write(str(pid))
open(hang).read()
os.close(terminal)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
X
at_terminal() { # hup|nohup
    fresh
    rm -f "$folder/hang" "$folder/out"
    mkfifo "$folder/hang"
    OUT=$folder/out LOG=$folder/log PID=$folder/pid python3 "$folder/terminal.py" "$folder/hang" "$1" \
        "${options[@]}" &
    wrapper=$!
    until_true is_up 2>/dev/null
    daemon=$(cat "$folder/pid")
}
at_terminal hup
before=$(child)
check "at a terminal SIGHUP of a process reloads" yes "$(has_reloaded "$daemon")"
echo >"$folder/hang"
wait "$wrapper"
check "the terminal goes: it ends in order" 0 $?
check "nobody is left" yes "$(gone "$before" && echo yes)"
check "and it is told why" 1 "$(grep -c "SIGHUP (the terminal is gone): shutting the tree down" "$folder/log")"

at_terminal nohup
echo >"$folder/hang"
told() { grep -q "the terminal is gone; SIGHUP was ignored at startup" "$folder/log"; }
check "the terminal goes, with nohup: it goes on" yes "$(until_true told && echo yes)"
check "SIGHUP of a process still reloads" yes "$(has_reloaded "$daemon")"
check "a child that ends is restarted" yes "$(restarted)"
check "after a replacement of the program, too" yes \
    "$("$proctorctl" --quiet reexec --reason=test && has_reloaded "$daemon")"
kill -TERM "$daemon"
wait "$wrapper"
check "SIGTERM ends it" 0 $?
daemon= wrapper=

# As PID 1.
if [ "$(id -u)" != 0 ] || ! unshare --pid --fork --mount-proc true 2>/dev/null; then
    skip "as PID 1" "needs root and PID namespaces"
    plan
    exit
fi
contain() {
    fresh
    start unshare --pid --fork --kill-child --mount-proc
    init=$(cat "/proc/$daemon/task/$daemon/children")
    init=${init% }
}
contain
for signal in $harmless 4 5 6 7 8 11 31; do kill -"$signal" "$init"; done
check "PID 1 outlives every signal that means nothing, and those that kill others" yes \
    "$(has_reloaded "$init")"
kill -TERM "$init"
wait "$daemon"
for signal in $ends; do
    contain
    kill -s "$signal" "$init"
    wait "$daemon"
    check "PID 1: SIG$signal shuts the tree down" 0 $?
    check "PID 1: SIG$signal is told" 1 "$(grep -c "SIG$signal: shutting the tree down" "$folder/log")"
done
daemon=
plan
