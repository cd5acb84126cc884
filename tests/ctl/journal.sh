#!/bin/bash
# journal.sh PROCTORD PROCTORCTL: a child that is called as another program logs is read apart from it.
# A journald of its own, in a mount namespace.
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1") proctorctl=$(realpath "$2")
journald=/lib/systemd/systemd-journald
if [ "$(id -u)" != 0 ] || [ ! -x "$journald" ] || ! unshare --mount --propagation private true 2>/dev/null; then
    echo "1..0 # SKIP needs root, mount namespaces and journald"
    exit 0
fi
if [ "${3-}" != inside ]; then
    exec unshare --mount --propagation private bash "$0" "$1" "$2" inside
fi
mount -t tmpfs tmpfs /run
folder=/run daemon= journal=
mkfifo /run/never
[ ! -d /var/log/journal ] || mount -t tmpfs tmpfs /var/log/journal
mkdir -p /run/systemd/journal /run/log/journal
trap 'kill $daemon $journal 2>/dev/null; wait' EXIT
start_journald() {
    "$journald" >/run/journald.out 2>&1 &
    journal=$!
    until_true test -S /run/systemd/journal/socket
}
start_journald

cat >/run/tree.yaml <<'EOF'
children:
  - {name: sshd, exec: [/bin/sh, -c, "for i in 1 2 3; do echo \"ours $i\"; done; exec sleep 1000"]}
  - {name: echo, exec: [/bin/sh, -c, "exec 3<>/run/lines; while read -r line <&3; do echo $line; done"]}
EOF
mkfifo /run/lines
exec 4<>/run/lines
"$proctord" --private-bus --manifests=/run/tree.yaml --state-dir=/run/state --runtime-dir=/run/run \
    >/run/out 2>/run/errors &
daemon=$!
export PROCTOR_BUS_ADDRESS=unix:path=/run/run/bus
read_lines() { "$proctorctl" log sshd "$@" 2>&1 | sed 's/^[-0-9]* [0-9:.]*  //'; }
three() { [ "$(read_lines | grep -c ours)" = 3 ]; }
until_true three
python3 - <<'EOF'
import socket
for name, text in (("socket", b"SYSLOG_IDENTIFIER=sshd\nMESSAGE=native of another\n"),
                   ("dev-log", b"<38>sshd[77]: syslog of another")):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(f"/run/systemd/journal/{name}")
        sender.send(text)
EOF
others() { [ "$(journalctl --no-pager -q -t sshd | grep -c "of another")" = 2 ]; }
until_true others
check "only what the child has written" "$(printf 'ours 1\nours 2\nours 3')" "$(read_lines)"
check "as many lines as were asked for" "$(printf 'ours 2\nours 3')" "$(read_lines -n 2)"
check "all of them where there are fewer" 3 "$(read_lines -n 50 | wc -l)"

# ---- a journald that stops and comes back ----
lines_of() { journalctl --no-pager -q -t echo -o cat; }
say() { seq -f "%06.0f" "$1" "$2" >&4; } # lines of seven bytes each
here() { lines_of | grep -qx "$1"; }
lost() { "$proctorctl" metrics | sed -n 's/^proctor_output_lost_bytes_total //p'; }
some_lost() { [ "$(lost)" -gt 0 ]; }
pid() { "$proctorctl" --no-legend show echo MainPID; }
say 100001 100100
until_true here 100100
before=$(pid)
kill "$journal"
wait "$journal" 2>/dev/null
rm -f /run/systemd/journal/socket
say 100101 110100
until_true some_lost
start_journald
say 110101 110200
until_true here 110200
check "the child has lived on" "$before 0" "$(pid) $("$proctorctl" --no-legend show echo RestartCount)"
kept=$(lines_of | grep -cx '1[0-9]*')
told=$(lines_of | sed -n 's/^proctord: \([0-9]*\) bytes are missing here: .*/\1/p' |
    awk '{ sum += $1 } END { print sum + 0 }')
check "what is missing is counted, to the byte" 10200 $((kept + told / 7))
check "and in the metrics" "$told" "$(lost)"
reason="echo: lost .* bytes of its output: the journal: journald does not respond"
check "and said" yes "$({ cat /run/errors; journalctl --no-pager -q -o cat; } | grep -q "$reason" && echo yes)"
plan
