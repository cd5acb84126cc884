#!/bin/sh
# Three readers that are not people: gcc's analyzer, clang-tidy and cppcheck. Prints each finding that
# tools/lint-known.txt does not name with its reason, and fails if there is one. Ten minutes.
set -eu
build=${1:-build-lint}
known=$(dirname "$0")/lint-known.txt
checks='-*,bugprone-*,cert-*,clang-analyzer-*,-bugprone-easily-swappable-parameters'
checks="$checks,-bugprone-reserved-identifier,-bugprone-assignment-in-if-condition"
# snprintf and memcpy have no better variant here; the result of fprintf to a closed log is nobody's.
checks="$checks,-clang-analyzer-security.insecureAPI.*,-cert-err33-c,-cert-dcl37-c,-cert-dcl51-cpp"

found=$(mktemp)
trap 'rm -f "$found"' EXIT

[ -f "$build/build.ninja" ] || CC=gcc meson setup "$build" >/dev/null
targets="service/proctord service/ctl/proctorctl sim/proctor-sim"
# shellcheck disable=SC2086
ninja -C "$build" --quiet $targets >/dev/null

compile() { # FILE: its own command line, with the analyzer and no output
    ninja -C "$build" -t commands $targets | grep -F -- "-c ../$1" | head -1 |
        sed 's/ccache //; s/-o [^ ]*//; s/-M[DQF] [^ ]*//g; s/-MD//; s/-MQ//; s/-MF//'
}

git ls-files 'service/*.c' 'sim/*.c' | while read -r file; do
    line=$(compile "$file")
    [ -n "$line" ] || continue
    (cd "$build" && sh -c "$line -fanalyzer -fdiagnostics-color=never -o /dev/null" 2>&1) |
        sed -n 's/^\.\.\/\([^:]*\):\([0-9]*\):.*warning: .*\[-W\(analyzer[^]]*\)\]$/gcc \1 \3 \2/p'
done >>"$found"

run-clang-tidy -p "$build" -quiet -checks="$checks" '(service|sim)/.*\.c$' 2>/dev/null |
    sed 's/\x1b\[[0-9;]*m//g' |
    sed -n 's/^.*\/\(\(service\|sim\)\/[^:]*\):\([0-9]*\):.*warning: .*\[\([^]]*\)\]$/clang \1 \4 \3/p' \
        >>"$found"

# shellcheck disable=SC2046
cppcheck --quiet --enable=warning,performance,portability --std=c11 --template='{file} {id} {line}' \
    --suppress=missingIncludeSystem $(git ls-files 'service/*.h' | xargs -n1 dirname | sort -u | sed 's/^/-I/') \
    -Iservice -Isim service sim 2>&1 | sed -n 's/^\([^ ]*\.[ch]\) /cppcheck \1 /p' >>"$found"

sort -u "$found" | awk -v known="$known" '
    BEGIN { while ((getline line < known) > 0) if (line !~ /^#/ && split(line, part, " ") > 2)
                reason[part[1] " " part[2] " " part[3]] = 1 }
    { if (!(($1 " " $2 " " $3) in reason)) { print $2 ":" $4 ": " $3 " (" $1 ")"; bad++ } else ok++ }
    END { printf "%d findings are named in lint-known.txt, %d are not\n", ok, bad; exit bad > 0 }'
