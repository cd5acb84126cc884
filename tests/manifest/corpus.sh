#!/bin/sh
# Each bad manifest is refused with exactly the message beside it; each good one is accepted. TAP.
proctord=$1 corpus=$2
n=0
for file in "$corpus"/bad/*.yaml; do
    n=$((n + 1))
    got=$("$proctord" --check --manifests="$file" 2>&1) && code=0 || code=$?
    got=$(printf '%s' "$got" | sed "s|^$file:||; s|^$file||")
    if [ "$code" = 1 ] && [ "$got" = "$(cat "${file%.yaml}.expected")" ]; then
        echo "ok $n - bad/$(basename "$file")"
    else
        echo "not ok $n - bad/$(basename "$file"): exit code $code, $got"
    fi
done
for file in "$corpus"/good/*.yaml; do
    n=$((n + 1))
    if "$proctord" --check --manifests="$file" >/dev/null; then echo "ok $n - good/$(basename "$file")"
    else echo "not ok $n - good/$(basename "$file")"; fi
done
echo "1..$n"
