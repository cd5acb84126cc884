#!/bin/sh
# cross.sh SOURCE [SEEDS]: the core and the simulator built for other machines, of other sizes of page and
# with the bytes the other way round, and run by qemu: the same seeds have the same hashes. TAP. Debian:
# gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu gcc-s390x-linux-gnu (with libc6-dev-*-cross), qemu-user-static.
set -u
source=$(realpath "$1") seeds=0..${2:-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/include"
cp /usr/include/yaml.h "$work/include/" # these say the same on each machine
cp -r /usr/include/systemd "$work/include/"
"$source/sim/trace/page_header.sh" "$source/sim/trace/timeline.html" "$work/timeline_page.h"

# What runs the whole daemon is of this machine only: it catches its system calls.
(cd "$source" && find sim service/core service/journal service/manifest service/system -name '*.c' |
    grep -Ev '^sim/(bus|machine|seam|whole)/|/journal_sim\.c$') >"$work/sources"

# A campaign reads no manifest and has no loop, so that libyaml and libsystemd of the other machine are not
# needed: what is missing is not called.
build() { # COMPILER NAME
    mkdir "$work/$2.objects"
    # shellcheck disable=SC2016
    (cd "$source" && xargs -P "$(nproc)" -I@ sh -c '"$1" -std=gnu11 -O1 -D_GNU_SOURCE -w -Isim -Iservice -Iservice/journal \
        -Iservice/manifest -Iservice/system \
        -I"$2" -I"$2/include" -DPROCTOR_VERSION=\"test\" -c "$4" -o "$3/$(echo "$4" | tr / _).o"' \
        sh "$1" "$work" "$work/$2.objects" @ <"$work/sources") >"$work/$2.log" 2>&1 &&
        "$1" -static -Wl,--unresolved-symbols=ignore-all "$work/$2.objects"/*.o -lpthread -o "$work/$2" \
            >>"$work/$2.log" 2>&1
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
