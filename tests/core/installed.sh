#!/bin/bash
# installed.sh BUILD SOURCE: the core as others get it. A host is compiled against what is installed,
# and supervises.
. "$(dirname "$0")/../ctl/proctord.sh"
build=$1 source=$2
folder=$(mktemp -d)
host=
leave() { # nothing behind
    [ -z "$host" ] || kill -9 "$host" 2>/dev/null
    wait
    rm -rf "$folder"
}
trap leave EXIT

meson install -C "$build" --no-rebuild --destdir "$folder" >"$folder/log" 2>&1
pc=$(find "$folder" -name proctor-core.pc)
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$folder \
    pkg-config --cflags --libs proctor-core)
check "it is compiled against the installed headers" "" \
    "$(cc -Wall -Werror "$source/examples/host/host.c" $flags -o "$folder/host" 2>&1)"

"$folder/host" sh -c "echo >>$folder/starts; exit 1" >"$folder/events" &
host=$!
three_starts() { [ -e "$folder/starts" ] && [ "$(wc -l <"$folder/starts")" -ge 3 ]; }
check "what fails is started again" yes "$(until_true three_starts && echo yes)"
kill -TERM "$host"
wait "$host"
check "SIGTERM ends it in order" 0 $?
host=
check "each generation follows from an end" yes \
    "$(grep -q 'child-exited generation=1 attempt=2' "$folder/events" && echo yes)"
check "the last event is that of the shutdown" shutdown-completed \
    "$(awk 'END { print $1 }' "$folder/events")"
plan
