#!/bin/bash
# systemd.sh BUILD SOURCE: proctor.service under a real systemd with a real system bus, both in
# namespaces of their own: a restart of the bus touches no child, and a tree that was shut down by
# command is not started by a client that only reads. TAP.
build=$(realpath "$1") source=$(realpath "$2")
proctord=$build/service/proctord proctorctl=$build/service/ctl/proctorctl
if [ "$(id -u)" != 0 ] || ! [ -x /lib/systemd/systemd ] || ! command -v dbus-daemon >/dev/null ||
    ! unshare --pid --mount --cgroup --fork true 2>/dev/null; then
    echo "1..0 # SKIP needs root, systemd and namespaces"
    exit 0
fi
. "$(dirname "$0")/../ctl/proctord.sh"
folder=$(mktemp -d)
mkfifo "$folder/never"
manager=
trap 'kill -9 $manager; wait $manager; rm -rf "$folder"' EXIT 2>/dev/null

# What is to be seen of it must not lie in /tmp or /run, which are hidden: in a folder that is bound.
mkdir "$folder/root" "$folder/log"
cp "$proctord" "$proctorctl" "$build/policy/proctor.service" "$source/policy/org.proctor1.conf" \
    "$source/policy/proctor-metrics.socket" \
    "$folder/root/"
for file in $(grep -ls "D-BUS Service" "$source"/policy/*.service.in); do # there is none, and that is right
    sed 's:@sbindir@:/mnt:' "$file" >"$folder/root/org.proctor1.service"
done
cat >"$folder/init.sh" <<'X'
#!/bin/bash
set -e
mount --make-rprivate /
mkdir -p /mnt
mount --bind "$1/root" /mnt
mount --bind "$1/log" /srv
for place in /run /tmp /dev/shm /var/lib /etc/dbus-1/system.d \
    /usr/share/dbus-1/system-services; do
    mkdir -p $place
    mount -t tmpfs -o mode=755 tmpfs $place
done
mkdir -p /run/lock /run/dbus /run/systemd/system /etc/dbus-1/system.d /tmp/children.d
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cp /mnt/org.proctor1.conf /etc/dbus-1/system.d/
cp /mnt/org.proctor1.service /usr/share/dbus-1/system-services/ 2>/dev/null || true
cat >/tmp/children.d/tree.yaml <<Y
children:
  - {name: web, exec: [/bin/sh, -c, "echo \$\$ >>/srv/pids; exec sleep 1000"], backoff: {initial: 10ms}}
Y
sed -e 's:^ExecStart=[^ ]*:ExecStart=/mnt/proctord --manifests=/tmp/children.d:' \
    -e '/^CapabilityBounding/,/^SystemCallFilter/d' -e 's/^\[Unit\]/&\nDefaultDependencies=no/' \
    /mnt/proctor.service >/run/systemd/system/proctor.service
for unit in dbus.service dbus.socket; do
    sed 's/^\[Unit\]/&\nDefaultDependencies=no/' /lib/systemd/system/$unit >/run/systemd/system/$unit
done
printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n' >/run/systemd/system/bench.target
exec env container=test /lib/systemd/systemd --unit=bench.target --log-target=null --show-status=no
X
setsid unshare --pid --mount --cgroup --fork --kill-child --mount-proc --propagation private \
    bash "$folder/init.sh" "$folder" >/dev/null 2>&1 </dev/null &
manager=$!
init() { cat "/proc/$manager/task/$manager/children" 2>/dev/null | tr -d ' '; }
inside() { nsenter -t "$(init)" -p -m -C "$@"; }
manages() { [ "$(init)" ] && inside systemctl show-environment >/dev/null 2>&1; }
if ! until_true manages; then
    echo "1..0 # SKIP systemd does not start here"
    exit 0
fi
ctl() { inside /mnt/proctorctl --system "$@" 2>&1; }
answers() { ctl list >/dev/null; }
state() { inside systemctl show -P ActiveState proctor; }
is() { [ "$(state)" = "$1" ]; }
child() { tail -1 "$folder/log/pids"; }
property() { inside systemctl show -P "$1" proctor; }

inside systemctl start proctor
check "it starts" active "$(state)"
check "what waits for it can call it" yes "$(answers && echo yes)"
check "it does not require the bus" "" "$(for kind in Requires BindsTo Requisite; do
    property $kind | tr ' ' '\n' | grep dbus; done)"
check "but wants it, and comes after it" "dbus.service dbus.service" \
    "$(property Wants | grep -o dbus.service) $(property After | grep -o dbus.service)"
check "the child runs" 1 "$(wc -l <"$folder/log/pids")"
before=$(child) daemon=$(property MainPID)

inside systemctl restart dbus
check "the bus is restarted: proctord is back on it" yes "$(until_true answers && echo yes)"
check "it is the same" "$daemon" "$(property MainPID)"
check "and so is the child" "$before" "$(child)"
inside systemctl stop dbus.socket dbus.service
away() { ! answers; }
until_true away
check "the bus is stopped: proctord goes on" active "$(state)"
inside bash -c 'kill -9 "$(tail -1 /srv/pids)"'
has_two() { [ "$(wc -l <"$folder/log/pids")" = 2 ]; }
waits() { property StatusText | grep -q "Waiting for the bus: "; }
check "its status says what it waits for" yes "$(until_true waits && echo yes)"
check "and restarts a child that ends" yes "$(until_true has_two && echo yes)"
before=$(child)
inside bash -c "kill -9 $daemon"
another() { is active && [ "$(property MainPID)" != "$daemon" ] && [ "$(property MainPID)" != 0 ]; }
check "proctord dies: the next one comes up" yes "$(until_true another && echo yes)"
check "with the child as it was" "$before" "$(child)"
check "and is on the bus, which the unit wants" yes "$(until_true answers && echo yes)"
check "its status says nothing any more" "" "$(property StatusText)"

check "shut down by command" 0 "$(ctl shutdown --wait --reason=test >/dev/null; echo $?)"
until_true is inactive
check "the tree is down" inactive "$(state)"
check "who looks is told" "1 Start it (systemctl start proctor, or proctord by hand), or name another bus \
with --address, --user or --system." "$(ctl list | tail -1 | sed "s/^/${PIPESTATUS[0]:-} /;s/^0/1/;s/^ /1 /")"
inside busctl --system call org.proctor1 /org/proctor1 org.proctor1.Manager ListChildren >/dev/null 2>&1
inside busctl --system introspect org.proctor1 /org/proctor1 >/dev/null 2>&1
inside dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
    org.freedesktop.DBus.StartServiceByName string:org.proctor1 uint32:0 >/dev/null 2>&1
inside systemctl restart dbus
check "whoever looks, and however, starts nothing" "inactive 2" "$(state) $(wc -l <"$folder/log/pids")"
inside systemctl start proctor
check "who means to, starts it" "active 3" "$(state) $(wc -l <"$folder/log/pids")"

# The socket of the metrics: it comes with proctord, goes with it, and starts nothing.
port=$((20000 + RANDOM % 20000))
inside bash -c "sed -e 's/^ListenStream=.*/ListenStream=127.0.0.1:$port/' -e 's/^\[Unit\]/&\nDefaultDependencies=no/' \
    /mnt/proctor-metrics.socket >/run/systemd/system/proctor-metrics.socket"
inside systemctl stop proctor
inside systemctl daemon-reload
inside systemctl enable --runtime --quiet proctor-metrics.socket
inside systemctl start proctor
scrape() { exec 5<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /metrics HTTP/1.0\r\n\r\n' >&5 && tail -1 <&5; } 2>/dev/null
check "metrics by a socket of systemd" "# EOF" "$(scrape)"
daemon=$(property MainPID)
inside bash -c "kill -9 $daemon"
until_true another
check "proctord dies: the next one has the socket" "# EOF" "$(scrape)"
ctl shutdown --wait --reason=test >/dev/null
until_true is inactive
closed() { [ "$(inside systemctl show -P ActiveState proctor-metrics.socket)" = inactive ]; }
check "shut down by command: the socket is closed" yes "$(until_true closed && echo yes)"
check "and a scrape starts nothing" " inactive" "$(scrape) $(state)"
inside systemctl start proctor
check "with proctord the socket is there again" "# EOF" "$(scrape)"

inside systemctl stop proctor
check "stopped by systemd: it ends well" "inactive success" "$(state) $(property Result)"
check "it leaves nothing" 0 "$(inside pgrep -c sleep)"
plan
