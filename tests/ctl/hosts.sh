#!/bin/bash
# hosts.sh PROCTORD PROCTORCTL: proctorctl -H, over a real sshd on loopback with a port and keys of its
# own. One sshd is several hosts: aliases of ssh_config, each with a proctord of its own.
. "$(dirname "$0")/proctord.sh"
sshd=$(command -v sshd || echo /usr/sbin/sshd)
if ! [ -x "$sshd" ] || ! command -v ssh-keygen >/dev/null; then
    echo "1..0 # SKIP no sshd here (package openssh-server): proctorctl -H IS NOT TESTED"
    exit 0
fi
options=(--no-cgroups)
begin "$1" "$2" <<'X'
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: talks, exec: [/bin/sh, -c, "echo one; printf 'two \\033]0;title\\007\\n'; exec sleep 1000"],
     stdout: {file: @/talks.log}}
X
address_a=$PROCTOR_BUS_ADDRESS daemon_a=$daemon

# Another machine's proctord.
mkdir "$folder/b"
cat >"$folder/b/tree.yaml" <<X
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: bad, exec: [/bin/false], restart_limit: {burst: 1, interval: 1h}, backoff: {initial: 1ms, max: 2ms}}
X
"$1" --private-bus --no-cgroups --manifests="$folder/b/tree.yaml" --state-dir="$folder/b/state" \
    --runtime-dir="$folder/b/run" >"$folder/address" 2>"$folder/b/errors" &
daemon_b=$!
read -r _ address_b <"$folder/address"

# sshd, which is given up to five ports: another may have taken the first.
ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
cp "$folder/key.pub" "$folder/authorized"
user=$(id -un)
[ "$(id -u)" = 0 ] && mkdir -p /run/sshd # its folder for separation of privileges
start_sshd() { # NAME, and what else its configuration has
    local name=$1 try
    shift
    for try in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 20000))
        {
            printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $folder/host_key" \
                "PidFile $folder/$name.pid" "AuthorizedKeysFile $folder/authorized" \
                "StrictModes no" "UsePAM no" "PasswordAuthentication no" "$@"
        } >"$folder/$name.sshd"
        rm -f "$folder/$name.pid"
        "$sshd" -f "$folder/$name.sshd" -E "$folder/$name.log" || continue
        until_true test -s "$folder/$name.pid"
        printf '%s\n' "Host $name" "  HostName 127.0.0.1" "  Port $port" >>"$folder/ssh_config"
        return
    done
    echo "# sshd does not start: $(tail -1 "$folder/$name.log")"
}
end_sshd() {
    local pid=$(cat "$folder/$1.pid" 2>/dev/null)
    [ "$pid" ] && kill "$pid" 2>/dev/null
}
leave() {
    end_sshd a
    end_sshd b
    end_sshd without
    kill "$daemon_a" "$daemon_b" 2>/dev/null
    wait
    rm -rf "$folder"
}
trap leave EXIT
start_sshd a "SetEnv PATH=$folder/bin:/usr/bin:/bin PROCTOR_BUS_ADDRESS=$address_a EDITOR=true"
start_sshd b "SetEnv PATH=$folder/bin:/usr/bin:/bin PROCTOR_BUS_ADDRESS=$address_b"
start_sshd without "SetEnv PATH=/usr/bin:/bin"
cat >>"$folder/ssh_config" <<X
Host gone
  HostName 127.0.0.1
  Port 1
Host *
  KexAlgorithms curve25519-sha256
  User $user
  IdentityFile $folder/key
  IdentitiesOnly yes
  UserKnownHostsFile $folder/known_hosts
  StrictHostKeyChecking accept-new
X
printf '#!/bin/sh\nexec ssh -F %s/ssh_config "$@"\n' "$folder" >"$folder/bin/ssh-here"
chmod +x "$folder/bin/ssh-here"
export PROCTOR_SSH=ssh-here
# What is here is not to be found by accident.
export PROCTOR_BUS_ADDRESS=unix:path=/nowhere
code() { "$@" >/dev/null 2>&1; echo $?; }
gave_up() { proctorctl -H b status bad | grep -q quarantined; }
until_true gave_up

# ---- one host ----
check "list: with the host, one line a child" "HOST CHILD a talks a web" \
    "$(timeout 60 proctorctl -H a list | sort -r | sed 's/^HOST/!HOST/' | sort | tr -d ! | awk '{ print $1, $2 }' | xargs)"
check "status" "web: ready" "$(proctorctl -H a status web | head -1 | grep -o '^web: ready')"
check "an order" "web: paused (was active), completed" "$(proctorctl -H a pause web -m test --wait)"
check "took effect there" "paused" "$(proctorctl --address="$address_a" show web Operation | cut -d= -f2)"
check "and not elsewhere" "active" "$(proctorctl --address="$address_b" show web Operation | cut -d= -f2)"
check "who gave it is the user that ssh logged in" 1 \
    "$(proctorctl --address="$address_a" audit --kind=command-accepted --by="$(id -un)" | grep -c ' web ')"
proctorctl -H a resume web -m test --wait >/dev/null
check "the exit code is that of the command" 5 "$(code proctorctl -H a status nobody)"
check "log: what stands there" "one" "$(proctorctl -H a log talks | head -1)"
check "log: -n, and as JSON" '[{"line":"one"},' "$(proctorctl -H a --json=short log talks -n 2 | head -1)"
check "log: no such child" 5 "$(code proctorctl -H a log nobody)"
printf 'name: added\nexec: [/bin/sleep, "1000"]\n' >"$folder/added.yaml"
proctorctl -H a add - -m test <"$folder/added.yaml" >/dev/null
check "add: a manifest of this machine" 0 "$(code proctorctl -H a wait added)"
check "cat" 'exec: [/bin/sleep, "1000"]' "$(proctorctl -H a cat added | tail -1)"
proctorctl -H a remove added -m test --wait >/dev/null
printf 'name: task\nkind: job\nexec: [/bin/sh, -c, "echo result >&$PROCTOR_RESULT_FD; exit 9"]\n' >"$folder/task.yaml"
check "run: the result and the exit code of a job" "result
9" \
    "$(proctorctl -H a run "$folder/task.yaml"; echo $?)"
proctorctl -H a trace -o "$folder/trace" --quiet
check "trace: the journal comes here" yes "$([ -s "$folder/trace" ] && echo yes)"
check "metrics" 1 "$(proctorctl -H a metrics | grep -c '^# EOF')"
check "edit: with the editor of that machine" 0 "$(code proctorctl -H a edit web </dev/null)"
check "--address is that of the bus there" "bad" \
    "$(proctorctl -H a --address="$address_b" --no-legend list bad | awk '{ print $2 }')"
check "--address with what a shell would carry out" 1 \
    "$(code proctorctl -H a --address="unix:path=/\$(touch $folder/owned)';touch $folder/owned" status)"
check "is not carried out" no "$([ -e "$folder/owned" ] && echo yes || echo no)"

# ---- several ----
check "list: all together; a host that is gone is a row" \
    "a talks a web b bad b web gone - 0" \
    "$(proctorctl -H a,b,gone --no-legend list | awk '{ print $1, $2 }' | sort | xargs) $(code proctorctl -H a,b,gone list)"
check "why it is gone" 1 "$(proctorctl -H gone list | grep -c "unreachable.*Connection refused")"
check "a host without proctorctl is one, too" 1 \
    "$(proctorctl -H without,a list | grep -Ec '^without +- +unreachable .*not found')"
check "list --failed: children that have failed, and hosts that are gone" "b bad gone -" \
    "$(proctorctl -H a,b,gone --no-legend list --failed | sort | awk '{ print $1, $2 }' | xargs)"
cat >"$folder/rows.py" <<'X'
import json
import sys

rows = json.load(sys.stdin)
told = [(row["host"], row.get("id", "gone" if "refused" in row.get("error", "") else "?")) for row in rows]
print(" ".join(f"{host} {child}" for host, child in sorted(told)))
X
check "list as JSON" "a talks a web b bad b web gone gone" \
    "$(proctorctl -H a,b,gone --json=short list | python3 "$folder/rows.py" 2>&1)"
check "an order: each line behind its host" "a: web: paused (was active), completed
b: web: paused (was active), completed" "$(proctorctl -H a,b pause web -m test --wait)"
proctorctl -H a,b resume web -m test --wait >/dev/null
check "one host is gone: the others are told all the same" \
    "gone: proctorctl: gone cannot be reached: ssh: connect to host 127.0.0.1 port 1: Connection refused
b: web: active, ready, no change
1" "$(proctorctl -H gone,b resume web -m test 2>&1; echo $?)"
cat >"$folder/answers.py" <<'X'
import json
import sys

for row in json.load(sys.stdin):
    print(row["host"], row["code"], row["answer"].get("state", "error"))
X
check "as JSON: an object for each" "a 0 ready gone 1 error b 5 error" \
    "$(proctorctl -H a,gone,b --json=short is-active talks 2>/dev/null | python3 "$folder/answers.py" 2>&1 | xargs)"
check "the exit code is the largest" 5 "$(code proctorctl -H a,b is-active talks)"
: >"$folder/followed"
proctorctl -H a,b events -f --kind=command-accepted --after=1000000 >"$folder/followed" 2>&1 &
follower=$!
follows() { proctorctl -H a,b restart web -m test >/dev/null; grep -q "^a: " "$folder/followed" && grep -q "^b: " "$folder/followed"; }
check "events -f: of both as they come" yes "$(until_true follows && echo yes)"
kill "$follower"
wait "$follower" 2>/dev/null

# ---- usage ----
check "the same host twice" 1 "$(code proctorctl -H a,a list)"
check "an option of ssh is no host" 1 "$(code proctorctl -H -oProxyCommand=true list)"
check "nor behind a user" 1 "$(code proctorctl -H a,me@-oProxyCommand=true list)"
check "an empty one" 1 "$(code proctorctl -H a,,b list)"
hosts() { seq -s, -f 'gone%g' "$1"; }
check "65 hosts" "proctorctl: --host: at most 64 hosts can be named (see proctorctl --help)" \
    "$(proctorctl -H "$(hosts 65)" list 2>&1)"
check "check needs no other machine" 1 "$(code proctorctl -H a check "$folder/added.yaml")"
check "edit on several" 1 "$(code proctorctl -H a,b edit web)"
check "standard input for several" 1 "$(code proctorctl -H a,b add - -m test)"

# ---- nothing is left ----
none_left() { ! grep -lsz "^$folder/bin:" /proc/[0-9]*/environ | while read -r file; do
    tr '\0' ' ' <"${file%environ}cmdline"; done | grep -q stdio-bridge; }
check "no bridge is left" yes "$(until_true none_left && echo yes)"

# ---- top ----
if command -v tmux >/dev/null; then
    terminal=proctor-hosts-$$
    export LC_ALL=C.UTF-8
    tmux() { command tmux -L "$terminal" "$@"; }
    tmux -f /dev/null new-session -d -x 100 -y 20 "NO_COLOR=1 proctorctl -H a,b,gone top; echo ended \$?; exec sleep 1000"
    shows() { tmux capture-pane -p | grep -Eq -- "$1"; }
    check "top: the children of both" yes "$(until_true shows '^a +web +ready' && until_true shows '^b +bad +quarantined' && echo yes)"
    check "top: a host that is gone is a row" yes "$(until_true shows '^gone +- +unreachable' && echo yes)"
    check "top: the sum" yes "$(shows '4 children, 3 running on 2 of 3 hosts, 2 in trouble' && echo yes)"
    tmux send-keys s
    until_true shows '; by name'
    tmux send-keys G
    check "top: why it is gone" yes "$(until_true shows '^gone: .*Connection refused' && echo yes)"
    tmux send-keys k p
    until_true shows "reason to pause"
    tmux send-keys test Enter
    check "top: an order goes to the host of the row" yes "$(until_true shows '^b +web +paused' && echo yes)"
    check "and to no other" yes "$(shows '^a +web +ready' && echo yes)"
    end_sshd b
    kill "$daemon_b"
    wait "$daemon_b" 2>/dev/null
    check "top: one that goes becomes a row" yes "$(until_true shows '^b +- +(unreachable|no answer)' && echo yes)"
    tmux send-keys q
    check "top: quit" yes "$(until_true shows 'ended 0' && echo yes)"
    tmux kill-server
else
    skip "top over several hosts" "tmux is not here"
fi
plan
