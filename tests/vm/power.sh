#!/bin/bash
# The power goes while proctord works: a second kernel is killed with an ext4 beneath, at varying
# moments, and started again on the same disk. proctord comes up each time, and with
# durability=power everything that was acknowledged is there. TAP.
#
#     power.sh PROCTORD PROCTORCTL WIDE_REGISTERS [CUTS]
here=$(dirname "$(realpath "$0")")
proctord=$(realpath "$1") proctorctl=$(realpath "$2") wide=$(realpath "$3") cuts=${4:-20}
BOOT_SECONDS=30
folder=$(mktemp -d "${TMPDIR:-/tmp}/proctor-power-XXXXXX")
kernel=
end() {
    [ -z "$kernel" ] || kill -9 -- "-$kernel" 2>/dev/null
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' TERM INT

skip() {
    echo "1..0 # SKIP $1"
    exit 0
}
command -v linux.uml >/dev/null || skip "user-mode-linux is not installed"
command -v mkfs.ext4 >/dev/null || skip "mkfs.ext4 is not installed"
[ -x /bin/dbus-daemon ] || [ -x /usr/bin/dbus-daemon ] || skip "dbus-daemon is not installed"

start() { # SCRIPT
    : >"$folder/console"
    WIDE_REGISTERS=$wide setsid sh "$here/uml.sh" "$folder" "$1" "$folder/disk" >"$folder/console" &
    kernel=$!
}

# Until the console says so, for BOOT_SECONDS at most.
wait_for() { # PATTERN
    for _ in $(seq $((BOOT_SECONDS * 20))); do
        grep -qaE "$1" "$folder/console" && return 0
        kill -0 "$kernel" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# The kernel, its processes, and the thread that does its input and output, which would go on: all
# of its session, which is its group, at once.
cut_power() {
    kill -9 -- "-$kernel" 2>/dev/null
    wait "$kernel" 2>/dev/null || true
    kernel=
}

truncate -s 96M "$folder/disk" && mkfs.ext4 -q -F "$folder/disk" || skip "no disk can be made"
echo 'echo works' >"$folder/probe.sh"
start "$folder/probe.sh"
wait_for '^works' || skip "user-mode-linux does not run here"
cut_power

declare -A expected # what a child must be: active, paused, or there; unknown: nothing is promised
fail() {
    echo "not ok $round - $1"
    sed 's/^/# /' "$folder/console" | tail -n 40
    exit 1
}

# What was acknowledged before must be what there is now.
compare() {
    declare -A found
    while read -r _ child operation; do
        found[$child]=$operation
    done < <(tr -d '\r' <"$folder/console" | grep -a '^state ')
    for child in "${!expected[@]}"; do
        case ${expected[$child]} in
        unknown) ;;
        there) [ -n "${found[$child]}" ] || fail "$child is lost" ;;
        *) [ "${found[$child]}" = "${expected[$child]}" ] ||
            fail "$child is ${found[$child]:-lost}, and ${expected[$child]} was acknowledged" ;;
        esac
    done
    [ "$1" = power ] || return 0
    for child in "${!found[@]}"; do # from now on that is what the disk has
        [ "$child" = ticking ] || expected[$child]=${found[$child]}
    done
}

# What this life has promised.
learn() {
    local before
    while read -r word child operation; do
        before=${expected[$child]}
        if [ "$1" != power ]; then
            expected[$child]=unknown
        elif [ "$word" = ack ]; then
            expected[$child]=$operation
        else # it is under way: either, and a child that is not known yet may come or not
            case $before in '' | unknown) expected[$child]=unknown ;; *) expected[$child]=there ;; esac
        fi
    done < <(tr -d '\r' <"$folder/console" | grep -aE '^(want [^ ]+|ack [^ ]+ [a-z]+)$')
}

# The wall clock, too, is not what it was: a machine without a battery, one that was set back.
clock() {
    case $((round % 5)) in
    1) echo 100 ;;
    3) echo $(($(date +%s) - 86400)) ;;
    esac
}

# How long it lives: some of them longer than the next one has been up when it reads of it.
life() {
    echo "$((round % 4 == 1 ? 2 : 0)).$(printf %03d $((round * 389 % 1000)))"
}

echo "1..$cuts"
for round in $(seq "$cuts"); do
    [ $((round % 2)) = 1 ] && durability=power || durability=crash
    {
        echo "PROCTORD=$proctord PROCTORCTL=$proctorctl"
        echo "DURABILITY=$durability ROUND=$round CLOCK=$(clock)"
        cat "$here/power_guest.sh"
    } >"$folder/guest.sh"
    start "$folder/guest.sh"
    wait_for '^(ready|not up)' || fail "proctord or a child of it is not up"
    grep -qa '^ready' "$folder/console" || fail "proctord or a child of it is not up"
    compare "$durability"
    sleep "$(life)"
    cut_power
    learn "$durability"
    echo "ok $round - $durability, $(grep -ac '^ack ' "$folder/console") acknowledged, up after" \
        "$(sed -n 's/^up \([0-9]*\).*/\1/p' "$folder/console") looks"
done
