#!/bin/sh
# Three readers that are not people: gcc's analyzer, clang-tidy and cppcheck. Prints each finding that
# tools/lint-known.txt does not name with its reason, and fails if there is one. Nothing is built: each
# file is read by itself, as many at once as there are processors, and none for more than LIMIT seconds
# of processor time, which is a finding, too.
#
#     tools/lint.sh [BUILD [FOLDER...]]    the folders: service and sim, unless they are named
set -eu
build=${1:-build-lint}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- service sim
root=$(cd "$(dirname "$0")/.." && pwd)
known=$root/tools/lint-known.txt
jobs=$(nproc)
checks='-*,bugprone-*,cert-*,clang-analyzer-*,-bugprone-easily-swappable-parameters'
checks="$checks,-bugprone-reserved-identifier,-bugprone-assignment-in-if-condition"
# snprintf and memcpy have no better variant here; the result of fprintf to a closed log is of no use.
checks="$checks,-clang-analyzer-security.insecureAPI.*,-cert-err33-c,-cert-dcl37-c,-cert-dcl51-cpp"
LIMIT=${LIMIT:-60}
export build checks LIMIT

found=$(mktemp)
trap 'rm -f "$found"' EXIT
cd "$root"
[ -f "$build/compile_commands.json" ] || CC=gcc meson setup "$build" >/dev/null

# A line for each file: its name, a tab, and its command line without what it writes.
commands() { # FOLDER...
    python3 - "$build/compile_commands.json" "$@" <<'PYTHON'
import json, re, sys
seen = set()
for entry in json.load(open(sys.argv[1])):
    name = entry["file"].removeprefix("../")
    if name.startswith(tuple(folder + "/" for folder in sys.argv[2:])) and name not in seen:
        seen.add(name)
        line = re.sub(r"^ccache | -M[DQF]( \S+\.[od])?| -o \S+| -Werror", "", entry["command"])
        print(name, line, sep="\t")
PYTHON
}

# Each is a shell of its own, whose argument is a line of the above.
# shellcheck disable=SC2016
gcc_reads='file=${1%%	*} command=${1#*	}
    cd "$build" && ulimit -t "$LIMIT" && sh -c "$command -fanalyzer -fdiagnostics-color=never -o /dev/null" 2>&1
    [ $? -lt 128 ] || echo "../$file:0: warning: [-Wanalyzer-did-not-finish]"'
# shellcheck disable=SC2016
clang_reads='file=${1%%	*}
    ulimit -t "$LIMIT" && clang-tidy -p "$build" -quiet -checks="$checks" "$file" 2>/dev/null
    [ $? -lt 128 ] || echo "/$file:0: warning: [did-not-finish]"'

each() { # SCRIPT FOLDER...
    script=$1
    shift
    commands "$@" | xargs -d '\n' -n 1 -P "$jobs" sh -c "$script" sh || true
}

each "$gcc_reads" "$@" |
    sed -n 's/^\.\.\/\([^:]*\):\([0-9]*\):.*warning: .*\[-W\(analyzer[^]]*\)\]$/gcc \1 \3 \2/p' >>"$found"

each "$clang_reads" "$@" | sed 's/\x1b\[[0-9;]*m//g' |
    sed -n 's/^.*\/\(\(service\|sim\)\/[^:]*\):\([0-9]*\):.*warning: .*\[\([^]]*\)\]$/clang \1 \4 \3/p' \
        >>"$found"

# shellcheck disable=SC2046
cppcheck --quiet -j "$jobs" --enable=warning,performance,portability --std=c11 \
    --template='{file} {id} {line}' --suppress=missingIncludeSystem \
    $(git ls-files 'service/*.h' | xargs -n1 dirname | sort -u | sed 's/^/-I/') \
    -Iservice -Isim "$@" 2>&1 | sed -n 's/^\([^ ]*\.[ch]\) /cppcheck \1 /p' >>"$found"

sed 's| [^ ]*/\([^ /]*\.[ch]\) | \1 |' "$found" | paste -d ' ' - "$found" | sort -u | awk -v known="$known" '
    BEGIN { while ((getline line < known) > 0) if (line !~ /^#/ && split(line, part, " ") > 2)
                reason[part[1] " " part[2] " " part[3]] = 1 }
    { if (!(($1 " " $2 " " $3) in reason)) { print $6 ":" $4 ": " $3 " (" $1 ")"; bad++ } else ok++ }
    END { printf "%d findings are named in lint-known.txt, %d are not\n", ok, bad; exit bad > 0 }'
