#!/bin/sh
# build.sh BUILD: sets the build folder up if there is none, and builds; silent unless it fails.
# A folder that was set up before the tests' libraries were there is set up again.
set -eu
build=$1

if [ ! -f "$build/build.ninja" ]; then
    echo "Building proctor in $build/ ..."
    meson setup "$build" >/dev/null
elif [ ! -d "$build/tests" ] && pkg-config --exists gio-2.0; then
    meson setup --reconfigure "$build" >/dev/null
fi
ninja -C "$build" --quiet >"$build/ninja.log" || {
    cat "$build/ninja.log"
    exit 1
}
