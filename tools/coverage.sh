#!/bin/sh
# Which lines the tests run: coverage.sh BUILD. A table of the files, the least covered first, and the sum.
# Daemons that are killed write nothing of what they ran: it is more than what is shown here.
set -eu
build=$1

[ -f "$build/build.ninja" ] || meson setup "$build" -Db_coverage=true >/dev/null
ninja -C "$build" --quiet
find "$build" -name '*.gcda' -delete
sh tools/test.sh "$build" | tail -1
find "$build/service" "$build/sim" -name '*.gcda' | while read -r data; do
    (cd "$build" && gcov -n -r -s "$(dirname "$PWD")" "${data#"$build"/}" 2>/dev/null)
done | awk '
    /^File / { file = substr($2, 2, length($2) - 2); sub(/^\.\.\//, "", file) }
    /^Lines executed:/ {
        split($0, part, /[:% ]+/)
        if (file ~ /\.c$/ && file ~ /(service|sim)\//) {
            total = part[5]; ran = part[3] * total / 100
            if (ran > best[file] + 0) best[file] = ran
            lines[file] = total
        }
        file = ""
    }
    END {
        for (name in lines) {
            printf "%5.1f %% of %5d lines  %s\n", 100 * best[name] / lines[name], lines[name], name
            all += lines[name]; hit += best[name]
        }
        printf "%5.1f %% of %5d lines  all of them\n", 100 * hit / all, all
    }' | sort -n
