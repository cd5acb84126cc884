#!/bin/sh
# cross.sh SOURCE [SEEDS]: the core and the simulator built for other machines, of other sizes of page and
# with the bytes the other way round, and run by qemu: the same seeds have the same hashes. TAP. Debian:
# gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu gcc-s390x-linux-gnu (with libc6-dev-*-cross), qemu-user-static.
set -u
source=$1 seeds=0..${2:-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/include"
cp /usr/include/yaml.h "$work/include/" # these say the same on each machine
cp -r /usr/include/systemd "$work/include/"
"$source/sim/trace/page_header.sh" "$source/sim/trace/timeline.html" "$work/timeline_page.h"

sources=$(cd "$source/service" && find "$source/sim" "$PWD/core" "$PWD/journal" "$PWD/manifest" "$PWD/system" -name '*.c' |
    grep -v '/journal_sim\.c$') # a program of its own

# A campaign reads no manifest and has no loop, so that libyaml and libsystemd of the other machine are not
# needed: what is missing is not called.
build() { # COMPILER NAME
    # shellcheck disable=SC2086
    "$1" -std=gnu11 ${OPTIMISE:--O2} -D_GNU_SOURCE -w -static -Wl,--unresolved-symbols=ignore-all -I"$source/sim" \
        -I"$source/service" -I"$source/service/journal" -I"$source/service/manifest" \
        -I"$source/service/system" -I"$work" -I"$work/include" -DPROCTOR_VERSION='"test"' $sources -lpthread \
        -o "$work/$2" >"$work/$2.log" 2>&1
}

hashes() { # NAME, with what runs it
    name=$1
    shift
    "$@" "$work/$name" campaign --hashes --seeds "$seeds" >"$work/$name.hashes" 2>>"$work/$name.log"
}

build gcc here && hashes here env
n=0
for machine in aarch64 riscv64 s390x; do
    n=$((n + 1))
    if ! command -v "$machine-linux-gnu-gcc" >/dev/null || ! command -v "qemu-$machine-static" >/dev/null; then
        echo "ok $n - $machine # SKIP NO COMPILER OR qemu FOR $machine HERE: NOT TESTED"
        continue
    fi
    build "$machine-linux-gnu-gcc" "$machine" && hashes "$machine" "qemu-$machine-static"
    if [ -s "$work/here.hashes" ] && cmp -s "$work/here.hashes" "$work/$machine.hashes"; then
        echo "ok $n - $machine: $(wc -l <"$work/here.hashes") seeds, the same hashes"
    else
        echo "not ok $n - $machine: other hashes, or none"
        diff "$work/here.hashes" "$work/$machine.hashes" 2>&1 | head -n 4 | sed 's/^/# /'
        tail -n 3 "$work/$machine.log" | sed 's/^/# /'
    fi
done
echo "1..$n"
