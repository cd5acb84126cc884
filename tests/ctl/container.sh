#!/bin/bash
# container.sh PROCTORD PROCTORCTL: proctord as PID 1 of a PID namespace, as in a container: orphans
# are reaped, signals shut it down in order, and its exit code says how it ended.
. "$(dirname "$0")/proctord.sh"
proctord=$(realpath "$1") proctorctl=$(realpath "$2")
if [ "$(id -u)" != 0 ] || ! unshare --pid --fork --mount-proc true 2>/dev/null; then
    echo "1..0 # SKIP needs root and PID namespaces"
    exit 0
fi
folder=$(mktemp -d)
mkfifo "$folder/never"
trap 'kill -9 $container 2>/dev/null; rm -rf "$folder"' EXIT
export PROCTOR_BUS_ADDRESS=unix:path=$folder/run/bus

contain() { # the tree on standard input
    cat >"$folder/tree.yaml"
    rm -rf "$folder/state" "$folder/run"
    unshare --pid --fork --kill-child --mount-proc "$proctord" --private-bus \
        --manifests="$folder/tree.yaml" --state-dir="$folder/state" --runtime-dir="$folder/run" \
        >"$folder/out" 2>"$folder/errors" &
    container=$!
    until_true grep -q '^bus:' "$folder/out"
    init=$(cat "/proc/$container/task/$container/children")
    init=${init% }
}
processes() { # in the container, but for dbus-daemon: STATE
    nsenter -t "$init" -p -m ps -eo pid=,stat=,comm= | grep -v "ps$\|dbus-daemon"
}

contain <<'EOF'
supervisor: root
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - name: leaves-orphans
    exec: [/bin/sh, -c, "(setsid sh -c 'sleep 0.2 & sleep 0.1' &) ; exec sleep 1000"]
EOF
ready() { "$proctorctl" status web leaves-orphans | grep -c "ready for" | grep -q 2; }
until_true ready
check "it is PID 1" "1 proctord" "$(processes | awk '$1 == 1 { print $1, $3 }')"
check "the children have PIDs of the container" "yes" \
    "$("$proctorctl" status web | grep -q "pid [0-9]\{1,3\}," && echo yes)"
gone() { [ "$(processes | grep -c " Z")" = 0 ] && [ "$(processes | grep -c sleep)" = 2 ]; }
check "orphans are reaped" 0 "$(until_true gone; echo $?)"
counted() { "$proctorctl" metrics | grep '^proctor_orphans_reaped_total' | grep -vq ' 0$'; }
check "and counted" 0 "$(until_true counted; echo $?)"
kill -TERM "$init"
wait "$container"
check "SIGTERM: in order, exit code 0" 0 $?
check "nobody is left" "" "$(echo "$folder" | grep -lsaFf - /proc/[0-9]*/cmdline)"

contain <<'EOF'
supervisor: root
children:
  - {name: stubborn, exec: [/bin/sh, -c, "trap '' TERM; while :; do sleep 1000; done"], stop: {timeout: 1h}}
EOF
until_true grep -q . <("$proctorctl" status stubborn | grep "ready for")
kill -INT "$init"
stopping() { "$proctorctl" status stubborn | grep -q stopping; }
until_true stopping
kill -INT "$init"
wait "$container"
check "a second signal hurries, exit code 0" 0 $?

contain <<'EOF'
supervisor: root
children:
  - {name: vital, exec: [/bin/sh, -c, "exit 3"], restart: permanent, restart_limit: {burst: 1, interval: 1h, on_limit: shutdown-tree}, backoff: {initial: 300ms}}
EOF
wait "$container"
check "a limit that ends the tree: exit code 10" 10 $?

ends() { # the child's program, its keys, the exit code that proctord has then
    contain <<YAML
supervisor: root
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: main, exec: [/bin/sh, -c, "sleep 0.3; $1"], on_success: shutdown-tree, on_give_up: shutdown-tree, $2}
YAML
    wait "$container"
    check "$1, $2: exit code $3" "$3" $?
}
ends "exit 0" "restart: transient" 0
ends "exit 3" "success_exit_codes: [3]" 3
ends "exit 42" "restart: temporary" 42
ends 'kill -TERM $$' "restart_limit: {burst: 0}" 143
ends "exit 78" "kind: service, restart: transient" 78
ends "exec /nowhere" "restart_limit: {burst: 0}" 127
check "what else ran is gone" "" "$(echo "$folder" | grep -lsaFf - /proc/[0-9]*/cmdline)"
plan
