#!/bin/bash
# authorisation.sh PROCTORD PROCTORCTL POLICY NAMES: which users are allowed to do what, over a real polkitd and a system bus
# of the test's own. The actions and rules of this machine are hidden in a mount namespace, and stay
# as they are.
proctord=$(realpath "$1") proctorctl=$(realpath "$2") policy=$(realpath "$3") names=$(realpath "$4")
polkitd=/usr/lib/polkit-1/polkitd
if [ "$(id -u)" != 0 ] || ! [ -x $polkitd ] || ! unshare -m true 2>/dev/null; then
    echo "1..0 # SKIP needs root, polkitd and mount namespaces"
    exit 0
fi
[ "${INSIDE:-}" ] || INSIDE=1 exec unshare -m --propagation private "$0" "$@"
. "$(dirname "$0")/proctord.sh"

folder=$(mktemp -d)
chmod 755 "$folder"
mkfifo "$folder/never"
for place in /usr/share/polkit-1/actions /usr/share/polkit-1/rules.d /etc/polkit-1/rules.d; do
    mkdir -p $place
    mount -t tmpfs -o mode=755 tmpfs $place
done
cp "$policy/org.proctor1.policy" /usr/share/polkit-1/actions/
cat >"$folder/bus.conf" <<X
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=$folder/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>$policy/org.proctor1.conf</include>
  <include>/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
</busconfig>
X
cat >"$folder/tree.yaml" <<X
supervisor: root
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: db, exec: [/bin/sleep, "1000"]}
X
cat >"$folder/more.yaml" <<X
name: more
exec: [/bin/sleep, "1000"]
X

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$folder/bus
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$folder"' EXIT
dbus-daemon --config-file="$folder/bus.conf" --nofork 2>>"$folder/errors" &
pids+=($!)
until_true busctl --system status >/dev/null 2>&1
"$proctord" --system --manifests="$folder/tree.yaml" --state-dir="$folder/state" \
    --runtime-dir="$folder/run" 2>>"$folder/errors" &
daemon=$!
pids=($daemon "${pids[@]}")
until_true busctl --system status org.proctor1 >/dev/null 2>&1

as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@" 2>&1
}
ctl() { # as nobody, with the exit code
    as_nobody "$proctorctl" --system "$@"
    echo "exit $?"
}
call() { # as nobody, on a child: METHOD
    as_nobody busctl --system --allow-interactive-authorization="${asking:-yes}" call org.proctor1 \
        /org/proctor1/child/web org.proctor1.Child "$1" 'sa{sv}' "a test" 0
}
hint="Root may do this; a rule in /etc/polkit-1/rules.d can allow others to (see proctord(8))."

check "everybody may look" "exit 0" "$(ctl --quiet list web >/dev/null; echo "exit $?")"
check "without polkit nobody but root may change anything" "proctorctl: org.proctor1.manage-children: \
pause web: not allowed: polkit is not running; without it only root may do this
$hint
exit 6" "$(ctl pause web --reason=test)"
check "root may without polkit" "web: paused (was active), cancelling, cancel-delivered" \
    "$("$proctorctl" --system pause web --reason=test)"
"$proctorctl" --system resume web --reason=test --wait >/dev/null

$polkitd --no-debug 2>>"$folder/errors" &
polkit=$!
pids=($polkit "${pids[@]}")
until_true busctl --system status org.freedesktop.PolicyKit1 >/dev/null 2>&1

# The user nobody, without an agent that could ask for a password.
refused() { # ACTION VERB
    echo "proctorctl: $1: $2: not allowed by polkit, and no authentication agent is running to ask for a password
$hint
exit 6"
}
for verb in pause resume restart; do
    check "$verb names its action" "$(refused org.proctor1.manage-children "$verb web")" \
        "$(ctl $verb web --reason=test)"
done
check "kill names its action" "$(refused org.proctor1.manage-children "kill web")" \
    "$(ctl kill web SIGUSR1 --reason=test)"
check "quarantine names its action" "$(refused org.proctor1.quarantine "quarantine web")" \
    "$(ctl quarantine web --reason=test)"
check "remove names its action" "$(refused org.proctor1.change-tree "remove web")" \
    "$(ctl remove web --reason=test)"
check "add names its action" "$(refused org.proctor1.change-tree add)" \
    "$(ctl add "$folder/more.yaml" --reason=test)"
check "reload names its action" "$(refused org.proctor1.change-tree reload)" \
    "$(ctl reload --reason=test)"
check "run names its action" "$(refused org.proctor1.run-jobs run)" "$(ctl run "$folder/more.yaml")"
check "shutdown names its action" "$(refused org.proctor1.shutdown shutdown)" \
    "$(ctl shutdown --reason=test)"
check "reexec names its action" "$(refused org.proctor1.shutdown reexecute)" \
    "$(ctl reexec --reason=test)"
check "who does not want to be asked is told that a password would be needed" \
    "Call failed: org.proctor1.manage-children: pause web: not allowed without a password: call \
again with interactive authorisation" "$(asking=no call Pause)"
check "the trace is for root" "exit 6" "$(ctl trace -o "$folder/trace" | tail -1)"
check "MaxJobs is for root" "Access denied
u 3" "$(busctl --system set-property org.proctor1 /org/proctor1 org.proctor1.Manager MaxJobs u 3
    as_nobody busctl --system set-property org.proctor1 /org/proctor1 org.proctor1.Manager MaxJobs u 4 |
        grep -o 'Access denied'
    busctl --system get-property org.proctor1 /org/proctor1 org.proctor1.Manager MaxJobs)"
check "nothing has happened" "web active 1, db active 1" "$(for child in web db; do
    echo "$child $("$proctorctl" --system --json=short status $child | grep -o '"operation":"[a-z]*"' |
        cut -d'"' -f4) 1"; done | paste -sd, | sed 's/,/, /')"

# A rule for one child and one verb.
cat >/etc/polkit-1/rules.d/50-proctor.rules <<'X'
polkit.addRule(function(action, subject) {
    if (action.id == "org.proctor1.manage-children" && subject.user == "nobody" &&
        action.lookup("child") == "web" && action.lookup("verb") == "restart")
        return polkit.Result.YES;
});
X
restarted() {
    as_nobody "$proctorctl" --system --quiet restart web --reason="the rule is there" >/dev/null
}
check "with a rule it is allowed" 0 "$(until_true restarted; echo $?)"
check "of whom, the audit says" "nobody (uid 65534)" "$("$proctorctl" --system audit web |
    grep -o 'command="restart".*the rule is there' | grep -o 'nobody (uid 65534)' | head -1)"
check "not for another verb" "$(refused org.proctor1.manage-children "pause web")" \
    "$(ctl pause web --reason=test)"
check "not for another child" "$(refused org.proctor1.manage-children "restart db")" \
    "$(ctl restart db --reason=test)"
check "and a scope is not its children" "$(refused org.proctor1.manage-children "restart ")" \
    "$(ctl restart / --reason=test)"

# Many calls at once, while proctord is replaced: each is answered.
for i in $(seq 16); do
    ctl --quiet restart web --reason="at once $i" >"$folder/answer.$i" &
    askers+=($!)
done
"$proctorctl" --system reexec --reason="while polkit is asked" >/dev/null
wait "${askers[@]}"
check "calls for which polkit is asked outlive an upgrade" "16 exit 0" \
    "$(cat "$folder"/answer.* | sort | uniq -c | sed 's/^ *//')"

# Callers that are allowed to are limited, too.
cat >/etc/polkit-1/rules.d/50-proctor.rules <<'X'
polkit.addRule(function(action, subject) {
    if (action.id.indexOf("org.proctor1.") == 0 && subject.user == "nobody")
        return polkit.Result.YES;
});
X
{
    echo "supervisor: many"
    echo "children:"
    seq -f '  - {name: n%g, kind: async_worker, autostart: false}' 600
} >"$folder/many.yaml"
sed 's/many/more/' "$folder/many.yaml" >"$folder/too-many.yaml"
added() {
    ctl --quiet add "$folder/many.yaml" --reason=test | grep -q "exit 0"
}
check "a uid may have many children" 0 "$(until_true added; echo $?)"
check "but not too many" "proctorctl: nobody (uid 65534) may own at most 1000 children
exit 1" "$(ctl add "$folder/too-many.yaml" --reason=test)"
check "they are counted over an upgrade" "exit 1" "$("$proctorctl" --system --quiet reexec --reason=test
    ctl add "$folder/too-many.yaml" --reason=test | tail -1)"
check "root may" "exit 0" "$("$proctorctl" --system --quiet add "$folder/too-many.yaml" --reason=test
    echo "exit $?")"

# Bounds of what one uid may have under way, or have remembered.
with_key() {
    as_nobody busctl --system call org.proctor1 /org/proctor1/child/web org.proctor1.Child Resume \
        'sa{sv}' "a test" 1 idempotency-key s "$1"
}
check "a uid may have 128 keys" 128 "$(for i in $(seq 128); do with_key "k$i"; done | grep -c '^a{sv}')"
check "an old one is known" 1 "$(with_key k1 | grep -c '^a{sv}')"
check "and no more" 1 "$(with_key k129 | grep -c 'at most 128')"
kill -STOP $polkit
askers=()
for i in $(seq 33); do
    call Resume >"$folder/asker.$i" &
    askers+=($!)
done
one_is_refused() { [ "$(cat "$folder"/asker.* | grep -c '32 for one uid')" = 1 ]; }
check "of 33 calls for which polkit is asked one is refused" 0 "$(until_true one_is_refused; echo $?)"
kill -CONT $polkit
wait "${askers[@]}"
check "and 32 are answered" 32 "$(cat "$folder"/asker.* | grep -c '^a{sv}')"

rm /etc/polkit-1/rules.d/50-proctor.rules
not_restarted() {
    ! restarted
}
check "without the rule, at once not any more" 0 "$(until_true not_restarted; echo $?)"
# A user database that does not answer. The sanitizers want to be loaded first, and need not be.
kill "$daemon"
wait "$daemon"
LD_PRELOAD=$names ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-} "$proctord" --system \
    --manifests="$folder/tree.yaml" --state-dir="$folder/state" --runtime-dir="$folder/run" \
    2>>"$folder/errors" &
daemon=$!
pids=($daemon "${pids[@]}")
until_true busctl --system status org.proctor1 >/dev/null 2>&1
begin=$(date +%s%N)
ctl list web >"$folder/nobody" &
asker=$!
check "who has no name yet holds up nobody" 0 "$("$proctorctl" --system list >/dev/null; echo $?)"
[ -s "$folder/nobody" ] && first=nobody || first=root
check "the other one is answered first" root $first
wait "$asker"
took=$((($(date +%s%N) - begin) / 1000000))
check "and who has none is answered, too" "exit 0" "$(tail -1 "$folder/nobody")"
check "after two seconds" yes "$([ $took -ge 1900 ] && [ $took -le 15000 ] && echo yes || echo $took ms)"
begin=$(date +%s%N)
ctl list web >"$folder/nobody"
took=$((($(date +%s%N) - begin) / 1000000))
check "the next time without waiting" yes "$([ $took -le 1500 ] && echo yes || echo $took ms)"

check "it says nothing bad" "" "$(grep -i "assert\|runtime error\|sanitizer" "$folder/errors")"
plan
