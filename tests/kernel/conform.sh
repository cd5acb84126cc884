#!/bin/bash
# The programs of programs/ say the same on a real kernel and on the model (sim/kernel) with the
# profile that fits. TAP.
#
#     conform.sh PROGRAMS                       on this machine's kernel
#     conform.sh PROGRAMS UML WIDE_REGISTERS    on that of vm/uml.sh
here=$(dirname "$(realpath "$0")")
programs=$(realpath "$1")
folder=$(mktemp -d "${TMPDIR:-/tmp}/proctor-kernel-XXXXXX")
trap 'rm -rf "$folder"' EXIT

skip() {
    echo "1..0 # SKIP $1"
    exit 0
}

if [ $# -gt 1 ]; then
    command -v linux.uml >/dev/null || skip "user-mode-linux is not installed"
    uml=$(realpath "$2") wide=$(realpath "$3")
    {
        echo "echo profile \$('$programs' --profile)"
        echo "export TMPDIR=/mnt"
        for program in "$here"/programs/*.txt; do
            echo "echo 'begin $(basename "$program")'; '$programs' --real '$program'"
            echo "echo 'end $(basename "$program")' \$?"
        done
        echo "echo whole"
    } >"$folder/script"
    WIDE_REGISTERS=$wide timeout 120 setsid sh "$uml" "$folder" "$folder/script" |
        tr -d '\r' >"$folder/console"
    grep -q '^profile ' "$folder/console" || skip "user-mode-linux does not run here"
    profile=$(sed -n 's/^profile //p' "$folder/console")
    real() { # PROGRAM
        sed -n "/^begin $1\$/,/^end $1 /{/^begin $1\$/d;/^end $1 /d;p}" "$folder/console"
    }
else
    profile=$("$programs" --profile)
    real() {
        timeout 60 "$programs" --real "$here/programs/$1" || true
    }
fi

count=0 failed=0
result() { # OK NAME
    count=$((count + 1))
    [ "$1" = 0 ] || failed=$((failed + 1))
    echo "$([ "$1" = 0 ] || echo 'not ')ok $count - $2 on $profile"
}

"$programs" "--model=$profile" "$here/programs/ends.txt" >/dev/null ||
    skip "there is no profile of $profile"
for program in "$here"/programs/*.txt; do
    name=$(basename "$program")
    real "$name" >"$folder/real"
    timeout 60 "$programs" "--model=$profile" "$program" >"$folder/model"
    # Where a program cannot go on (no cgroups, not root), it ends: as much as it said is compared.
    head -n "$(wc -l <"$folder/real")" "$folder/model" >"$folder/as-far"
    difference=0
    diff -U1 "$folder/real" "$folder/as-far" | sed 's/^/# /' >"$folder/difference"
    [ ! -s "$folder/difference" ] && [ -s "$folder/real" ] || difference=1
    cat "$folder/difference"
    result $difference "${name%.txt}"
done
echo "1..$count"
[ $failed = 0 ]
