# What is done with the clock. Set by the caller: PROCTORD, PROCTORCTL. The next run is a day away, so
# that only a clock that was set brings it about within the seconds that are waited.
mkdir /mnt/m
echo '{name: made, kind: job, exec: [/bin/true], schedule: {at: "03:00", time_zone: UTC, persistent: true}}' >/mnt/m/made.yaml
echo '{name: left, kind: job, exec: [/bin/true], schedule: {at: "03:00", time_zone: UTC}}' >/mnt/m/left.yaml
n=0
property() { "$PROCTORCTL" show "$1" "$2" | sed 's/^[^=]*=//'; }
is() { [ "$(property "$1" "$2")" = "$3" ]; }
day() { echo "$(date -u -d "$1 03:00" +%s)000000"; }
expect() { # WHAT COMMAND...
    what=$1 looks=0 n=$((n + 1))
    shift
    until "$@"; do
        looks=$((looks + 1))
        if [ $looks -gt 100 ]; then
            echo "not ok $n - $what"
            return
        fi
        sleep 0.1
    done
    echo "ok $n - $what"
}
date -u -s "2026-11-29 12:00" >/dev/null
"$PROCTORD" --private-bus --manifests=/mnt/m --state-dir=/mnt/s --runtime-dir=/run/proctor \
    --log-target=stderr >/run/out 2>/run/log &
expect "proctord is up" grep -q '^bus: ' /run/out
PROCTOR_BUS_ADDRESS=$(sed -n 's/^bus: //p' /run/out)
export PROCTOR_BUS_ADDRESS
expect "the next run is planned" is made NextRunUSec "$(day 2026-11-30)"
date -u -s "2026-11-30 03:00:10" >/dev/null
expect "and the one after it is planned" is left NextRunUSec "$(day 2026-12-01)"
expect "both runs were made" [ "$(property left LastRunUSec)" -gt 0 ]
date -u -s "2026-11-28 01:00" >/dev/null
expect "set back: the next run is planned again" is left NextRunUSec "$(day 2026-11-28)"
date -u -s "2026-12-30 09:00" >/dev/null
expect "set forward by a month: a run that is persistent is made up for" is made Generation 1
expect "and one that is not is left out" is left NextRunUSec "$(day 2026-12-31)"
expect "as its attempts say" is left Generation 0
echo "1..$n"
