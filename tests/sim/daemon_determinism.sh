#!/bin/sh
# daemon_determinism.sh SIM PROCTORD [SEEDS [PROCTORD...]]: the whole daemon makes the same list of
# calls in each run: by each proctord that is given (of another compiler, say), with the addresses
# of the simulator random or not. TAP.
set -u
sim=$1 first=$2 seeds=${3:-0..8}
shift 2
[ $# -gt 0 ] && shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0 failed=0

hashes() { # prefix, proctord
    $1 "$sim" daemon --seeds "$seeds" --tell --proctord "$2" | grep -o '^seed [0-9]*: [0-9a-f]\{16\}, [0-9]* calls'
}

check() { # name
    n=$((n + 1))
    if [ -s "$work/list" ] && cmp -s "$work/first" "$work/list"; then
        echo "ok $n - $1, $(wc -l <"$work/list") runs"
    else
        echo "not ok $n - $1"
        diff "$work/first" "$work/list" | head -n 4 | sed 's/^/# /'
        failed=1
    fi
}

fixed=
setarch -R true 2>/dev/null && fixed='setarch -R'
hashes "" "$first" >"$work/first"
for proctord in "$first" "$@"; do
    hashes "$fixed" "$proctord" >"$work/list"
    check "$proctord, addresses ${fixed:+not }random"
done
for proctord in "$@"; do
    hashes "" "$proctord" >"$work/list"
    check "$proctord, addresses random"
done
echo "1..$n"
exit $failed
