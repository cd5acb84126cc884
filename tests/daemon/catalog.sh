#!/bin/sh
# Every event of the audit has its entry in the message catalog, and every entry its event. TAP.
source=$1
code=$source/service/log/catalog.c catalog=$source/policy/proctor.catalog
n=0
for id in $(sed -n 's/.*{"\([0-9a-f]\{32\}\)", true}.*/\1/p' "$code"); do
    n=$((n + 1))
    if grep -A1 -- "^-- $id\$" "$catalog" | grep -q '^Subject: ..*'; then echo "ok $n - $id"
    else echo "not ok $n - $id is not in the catalog"; fi
done
n=$((n + 1))
for id in $(sed -n 's/^-- //p' "$catalog"); do
    grep -q "\"$id\", true" "$code" || { echo "not ok $n - the catalog has $id, which is no event of the audit"; id=; break; }
done
[ -n "$id" ] && echo "ok $n - no entry without its event"
n=$((n + 1))
if [ "$(sed -n 's/.*{"\([0-9a-f]*\)".*/\1/p' "$code" | sort | uniq -d)" = "" ]; then echo "ok $n - no id twice"
else echo "not ok $n - an id twice"; fi
echo "1..$n"
