#!/bin/bash
# metrics_tcp.sh PROCTORD PROCTORCTL: metrics over TCP: --metrics-listen, its shares, an upgrade, and a
# socket that a service manager has opened. Needs curl and python3.
command -v curl >/dev/null || { echo "1..0 # SKIP curl is not installed"; exit; }
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1")
port=$((20000 + RANDOM % 20000))
options=(--no-cgroups "--metrics-listen=127.0.0.1:$port" --metrics-socket=@/metrics)
begin "$1" "$2" <<'EOF'
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
EOF
get() { curl -sS --max-time 10 "$@"; }
serves() { [ "$(get "http://127.0.0.1:$port/metrics" 2>/dev/null | tail -1)" = "# EOF" ]; }
check "it serves" yes "$(until_true serves && echo yes)"
check "the same as on the Unix socket" "$(get --unix-socket "$folder/metrics" http://localhost/metrics | grep -c '^# TYPE')" \
    "$(get "http://127.0.0.1:$port/metrics" | grep -c '^# TYPE')"
check "nothing of a child without --metrics-children" 0 "$(get "http://127.0.0.1:$port/metrics" | grep -c 'child="')"
check "another path" 404 "$(get -o /dev/null -w "%{http_code}" "http://127.0.0.1:$port/x")"
check "another method" 405 "$(get -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$port/metrics")"
check "whether the journal is written" "proctor_journal_written 1" \
    "$(get "http://127.0.0.1:$port/metrics" | grep '^proctor_journal_written')"

# Its share: eight connections of an address; one more takes the place of its oldest that is silent. An
# address of its own is another peer, and is not disturbed.
cat >"$folder/shares.py" <<'X'
import select
import socket
import sys

port = int(sys.argv[1])


def connect(source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


def closed(connections):
    """Which of them the other side has closed, in the end."""
    select.select(connections, [], [], 0.5)
    ready = select.select(connections, [], [], 0)[0]
    return [connections.index(c) for c in ready if c.recv(1) == b""]


def ask(connection):
    connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    text = b""
    while part := connection.recv(65536):
        text += part
    return text.endswith(b"# EOF\n")


other = connect("127.0.0.2")
silent = [connect() for _ in range(7)]
print("7:", closed(silent), ask(connect()))
silent.append(connect())
print("8:", closed(silent))
print("9:", ask(connect()), closed(silent))
late = [connect() for _ in range(40)]
print("others:", ask(other), ask(connect("127.0.0.3")))
X
check "shares at 7, 8 and 9 connections of one address, and what 40 more do to another" \
    "7: [] True 8: [] 9: True [0] others: True True" "$(python3 "$folder/shares.py" "$port" 2>&1 | xargs)"
half() { exec 5<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /metrics HTTP/1.1\r\n' >&5; }
half
check "one that stops within its request holds nobody up" yes "$(serves && echo yes)"
exec 5>&-
check "a request that is too long is cut off" "000" \
    "$(get -o /dev/null -w '%{http_code}' -H "X: $(head -c 9000 /dev/zero | tr '\0' a)" "http://127.0.0.1:$port/metrics" 2>/dev/null)"

descriptor() { ls -l "/proc/$daemon/fd" | grep -o 'socket:\[[0-9]*\]' | sort; }
listening() { printf '0100007F:%04X' "$port"; }
inode() { awk -v at="$(listening)" '$2 == at && $4 == "0A" { print $10 }' /proc/net/tcp; }
before=$(inode)
proctorctl reexec --reason=test --quiet
check "after an upgrade, too" yes "$(until_true serves && echo yes)"
check "it is the same socket: no scrape is refused" "$before" "$(inode)"
check "a second proctord is told that the port is taken" 1 "$("$1" --private-bus --no-cgroups \
    --state-dir="$folder/other" --runtime-dir="$folder/run2" --manifests="$folder/children.d" \
    --metrics-listen="127.0.0.1:$port" 2>&1 >/dev/null | grep -c "127.0.0.1:$port: Address already in use")"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
"$proctord" --private-bus --no-cgroups --manifests="$folder/children.d" --state-dir="$folder/state" \
    --runtime-dir="$folder/run" "--metrics-listen=127.0.0.1:$port" >/dev/null 2>"$folder/errors" &
daemon=$!
check "after a death it listens again" yes "$(until_true serves && echo yes)"
kill "$daemon"
wait "$daemon"

# ---- a socket of the service manager ----
cat >"$folder/activate.py" <<'X'
import os
import socket
import sys

name, port = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", port))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=name)
os.execv(sys.argv[3], sys.argv[3:])
X
activate() { # NAME, further options
    local name=$1
    shift
    rm -rf "$folder/state"
    python3 "$folder/activate.py" "$name" "$port" "$proctord" --private-bus --no-cgroups \
        --manifests="$folder/children.d" --state-dir="$folder/state" --runtime-dir="$folder/run" "$@" \
        >"$folder/out" 2>"$folder/errors" &
    daemon=$!
}
finish() {
    kill "$daemon"
    wait "$daemon"
}
port=$((port + 1))
activate proctor.metrics
check "a socket that is passed is used" yes "$(until_true serves && echo yes)"
before=$(inode)
proctorctl reexec --reason=test --quiet
check "and goes over to the next program" "yes $before" "$(until_true serves && echo yes) $(inode)"
child=$(proctorctl show web MainPID | cut -d= -f2)
check "a child does not get it" 0 "$(ls -l "/proc/$child/fd" | grep -c "socket:\[$before\]")"
check "nor its variables" 0 "$(tr '\0' '\n' <"/proc/$child/environ" | grep -c ^LISTEN_)"
finish
port=$((port + 1))
activate other.name
up() { proctorctl list >/dev/null 2>&1; }
until_true up
check "one of another name is closed" "" "$(inode)"
finish
port=$((port + 1))
activate proctor.metrics "--metrics-listen=127.0.0.1:$((port + 1))"
until_true up
passed=$(inode) port=$((port + 1))
check "where the command line says another place, that holds" "yes" "$([ -z "$passed" ] && until_true serves && echo yes)"
finish

for wrong in 127.0.0.1 127.0.0.1:0 127.0.0.1:65536 localhost:9586 :9586 ::1:9586 '[::1:9586' '[]:1' ''; do
    check "no address: $wrong" 1 "$("$proctord" --check --metrics-listen="$wrong" 2>&1 | grep -c 'expected an address and a port')"
done
if [ -e /proc/net/if_inet6 ] && grep -q "^0\{31\}1" /proc/net/if_inet6; then
    "$proctord" --private-bus --no-cgroups --manifests="$folder/children.d" --state-dir="$folder/six" \
        --runtime-dir="$folder/run" "--metrics-listen=[::1]:$port" >/dev/null 2>"$folder/errors" &
    daemon=$!
    six() { get "http://[::1]:$port/metrics" 2>/dev/null | grep -q '^# EOF'; }
    check "IPv6" yes "$(until_true six && echo yes)"
else
    skip "IPv6" "not here"
    daemon=
fi
plan
