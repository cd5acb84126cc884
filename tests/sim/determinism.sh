#!/bin/sh
# The same seed has the same hash, whatever compiler, optimisation and sanitizer built it: 1,000
# generated worlds in each variant. TAP.
set -u
source=$1
seeds=0..1000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$source/sim/trace/page_header.sh" "$source/sim/trace/timeline.html" "$work/timeline_page.h"

sources=$(cd "$source/service" && find "$source/sim" "$PWD/core" "$PWD/journal" "$PWD/manifest" "$PWD/system" -name '*.c' |
    grep -v '/journal_sim\.c$') # a program of its own
includes="-I$source/sim -I$source/service"
for room in journal manifest system; do includes="$includes -I$source/service/$room"; done

build() {
    name=$1
    shift
    # shellcheck disable=SC2086
    "$@" -std=gnu11 -D_GNU_SOURCE -w $includes -I"$work" -DPROCTOR_VERSION='"test"' \
        $sources -lyaml -lsystemd -lpthread \
        -o "$work/$name" >"$work/$name.log" 2>&1 &&
        "$work/$name" campaign --hashes --seeds "$seeds" >"$work/$name.hashes" 2>>"$work/$name.log"
}

n=0
report() {
    n=$((n + 1))
    if cmp -s "$work/gcc-O0.hashes" "$work/$1.hashes" && [ -s "$work/$1.hashes" ]; then
        echo "ok $n - $1: $(wc -l <"$work/$1.hashes") seeds, the same hashes"
    else
        echo "not ok $n - $1: other hashes, or none"
        tail -n 5 "$work/$1.log" | sed 's/^/# /'
    fi
}

variants="gcc-O0 gcc-O3 gcc-sanitized"
{ build gcc-O0 gcc -O0 && build gcc-sanitized gcc -O1 -fsanitize=address,undefined; } &
build gcc-O3 gcc -O3 &
wait
if command -v clang >/dev/null; then
    variants="$variants clang-O0 clang-O3"
    build clang-O0 clang -O0 &
    build clang-O3 clang -O3 &
    wait
fi
for variant in $variants; do report "$variant"; done
if ! command -v clang >/dev/null; then
    n=$((n + 1))
    echo "ok $n - clang # SKIP there is no clang here"
fi
echo "1..$n"
