#!/bin/bash
# The manual pages: no mistake in them, and nothing forgotten that the programs, the manifests or the
# interfaces know. pages.sh SOURCE ORG.PROCTOR1.5 PROCTORD PROCTORCTL PROCTOR-SIM. Prints TAP.
set -u
man=$1/man source=$1 interfaces=$2 proctord=$3 proctorctl=$4 simulator=$5
n=0

check() { # WHAT LACKING
    n=$((n + 1))
    if [ -z "$2" ]; then echo "ok $n - $1"; else
        echo "not ok $n - $1"
        echo "$2" | sed 's/^/# /'
    fi
}

lacking() { # PAGE, words on standard input
    sed 's/\\-/-/g; s/\\f[BIR]//g' "$1" >"$TMPDIR/page"
    while read -r word; do
        grep -qF -- "$word" "$TMPDIR/page" || echo "$word"
    done
}
TMPDIR=$(mktemp -d)
trap 'rm -rf "$TMPDIR"' EXIT

if command -v mandoc >/dev/null; then
    for page in "$man"/*.[158] "$interfaces"; do
        check "${page##*/} has no mistake" "$(mandoc -T lint -W warning "$page" 2>&1)"
    done
fi
options() { "$@" --help | grep -o -- '--[a-z][a-z-]*' | sort -u; }
check "proctord(8) has every option" "$(options "$proctord" | lacking "$man/proctord.8")"
check "proctorctl(1) has every option" "$(options "$proctorctl" | lacking "$man/proctorctl.1")"
check "proctorctl(1) has every command" \
    "$("$proctorctl" --help | sed -n 's/^  \([a-z|]*\) .*/\1/p' | tr '|' '\n' | lacking "$man/proctorctl.1")"
check "proctor-sim(1) has every option" \
    "$(for command in $("$simulator" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
        options "$simulator" "$command"
    done | sort -u | lacking "$man/proctor-sim.1")"
check "proctor.child(5) has every key" \
    "$(sed -n 's/^| \(`[^|]*\) |.*/\1/p' "$source/docs/manifest.md" | grep -o '`[a-z_]*`' | tr -d '`' |
        sort -u | lacking "$man/proctor.child.5")"
check "proctor.child(5) is what docs/manifest.md says (man/manifest.py VERSION docs/manifest.md)" \
    "$(python3 "$man/manifest.py" "$("$proctord" --version | sed -n 's/^proctord //p')" \
        "$source/docs/manifest.md" | diff - "$man/proctor.child.5")"
check "org.proctor1(5) has every member" \
    "$(grep -ho '<\(method\|property\|signal\) name="[A-Za-z]*"' "$source"/introspection/*.xml |
        sed 's/.*"\(.*\)"/\1/' | sort -u | lacking "$interfaces")"
check "org.proctor1(5) tells what comes back" \
    "$(sed -n 's/^| \(`[^|]*\) |.*/\1/p' "$source/docs/dbus.md" | grep -o '`[A-Za-z_-]*`' | tr -d '`' |
        sort -u | lacking "$interfaces")"
echo "1..$n"
