# What a machine does between two power cuts: proctord starts on the disk as it is, says what it
# knows, and is given work until the end. Each command is announced before, and acknowledged after.
# Set by the caller: PROCTORD, PROCTORCTL, DURABILITY, ROUND, CLOCK (seconds since 1970; empty: as it
# is).
[ -z "$CLOCK" ] || date -s "@$CLOCK" >/dev/null
mkdir -p /mnt/disk/manifests
cat >/mnt/disk/manifests/ticking.yaml <<END
name: ticking
exec: [/bin/false]
restart: permanent
backoff: {initial: 50ms, max: 50ms}
restart_limit: {burst: 10000, interval: 10m}
END
"$PROCTORD" --private-bus --manifests=/mnt/disk/manifests --state-dir=/mnt/disk/state \
    --runtime-dir=/run/proctor --durability="$DURABILITY" --log-target=stderr >/run/out 2>/run/log &
looks=0
until grep -q '^bus: ' /run/out; do
    looks=$((looks + 1))
    if [ $looks -gt 200 ] || ! kill -0 $! 2>/dev/null; then
        echo "not up"
        cat /run/log
        exit 1
    fi
    sleep 0.05
done
PROCTOR_BUS_ADDRESS=$(sed -n 's/^bus: //p' /run/out)
export PROCTOR_BUS_ADDRESS
echo "up $looks"
# Children that are meant to run do so again, however often the power was lost.
looks=0
while "$PROCTORCTL" --no-legend list | grep '^r.* active ' | grep -v ' ready ' >/run/down; do
    looks=$((looks + 1))
    if [ $looks -gt 100 ]; then
        echo "not up"
        cat /run/down
        exit 1
    fi
    sleep 0.05
done
"$PROCTORCTL" --no-legend list | while read -r child operation rest; do
    echo "state $child $operation"
done
echo ready

say() { # WORD CHILD COMMAND...
    word=$1 child=$2
    shift 2
    echo "want $child"
    "$PROCTORCTL" --quiet "$@" --reason=load >/dev/null 2>&1 && echo "ack $child $word"
}
i=0
while [ $i -lt 500 ]; do
    i=$((i + 1))
    child=r$ROUND-$((i % 8))
    if [ $i -lt 8 ]; then
        printf 'name: %s\nexec: [/bin/sleep, "1000"]\n' "$child" >/run/child.yaml
        say active "$child" add /run/child.yaml
    fi
    say paused "$child" pause "$child"
    [ $((i % 3)) = 0 ] || say active "$child" resume "$child"
done
echo "the work is done"
