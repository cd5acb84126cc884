#!/bin/bash
# Metrics over HTTP on a Unix socket: metrics.sh PROCTORD PROCTORCTL. Needs curl; promtool checks the
# names where it is installed.
command -v curl >/dev/null || { echo "1..0 # SKIP curl is not installed"; exit; }
. "$(dirname "$0")/proctord.sh"
options=(--metrics-socket=@/metrics --metrics-children)
begin "$1" "$2" <<'EOF'
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: idle, exec: [/bin/sleep, "1000"], autostart: false}
EOF
get() { curl -sS --max-time 10 --unix-socket "$folder/metrics" "$@"; }
value() { sed -n "s/^$1 //p" "$folder/text"; }

runs() { get http://localhost/metrics | grep -q '^proctor_child_running{child="web"} 1'; }
until_true runs
get http://localhost/metrics >"$folder/text"
check "ends as OpenMetrics does" "# EOF" "$(tail -1 "$folder/text")"
check "the same as over the bus" "$(proctorctl metrics | grep -c '^# TYPE')" \
    "$(grep -c '^# TYPE' "$folder/text")"
check "a gauge of each child" "1 0" "$(value 'proctor_child_running{child="web"}') $(value 'proctor_child_running{child="idle"}')"
check "its media type" "application/openmetrics-text; version=1.0.0; charset=utf-8" \
    "$(get -o /dev/null -w '%{content_type}' http://localhost/metrics)"
check "HEAD" "200 0" "$(get -I -o /dev/null -w '%{http_code} %{size_download}' http://localhost/metrics)"
check "another path" "404" "$(get -o /dev/null -w '%{http_code}' http://localhost/other)"
check "another method" "405" "$(get -o /dev/null -w '%{http_code}' -X POST http://localhost/metrics)"

# The rules of names and types: each family once, with TYPE and HELP; counters end in _total.
check "each sample has its family, each family its help" "" "$(awk '
    /^# TYPE/ { if (type[$3]) print "twice:", $3; type[$3] = $4; next }
    /^# HELP/ { if (!type[$3]) print "help first:", $3; if (NF < 4) print "no help:", $3; next }
    /^# EOF/ { next }
    { name = $1; sub(/\{.*/, "", name); base = name; sub(/_(total|bucket|sum|count)$/, "", base)
      if (name !~ /^proctor_[a-z_]*$/) print "name:", name
      if (!(base in type) && !(name in type)) print "no family:", name
      if (base in type && type[base] == "counter" && name == base) print "counter without _total:", name
      if (name != base && type[base] != "counter") print "_total, and no counter:", name
      if ($2 !~ /^[0-9.e+-]+$/) print "value:", $0 }' "$folder/text")"
if command -v promtool >/dev/null; then
    # It reads the older format, in which a counter's family has its _total.
    check "promtool has nothing to say" "" "$(awk '/^# EOF/ { next } /^# TYPE/ { counter[$3] = $4 == "counter" }
        /^#/ && counter[$3] { $3 = $3 "_total" } { print }' "$folder/text" | promtool check metrics 2>&1)"
else
    skip "promtool" "not installed"
fi

# A client that sends nothing does not delay the others.
exec 5<>"$folder/never"
for _ in 1 2 3 4 5; do
    (curl -sS --max-time 20 --unix-socket "$folder/metrics" -T - http://localhost/metrics <&5 >/dev/null 2>&1) &
done
check "others are answered" "200" "$(get -o /dev/null -w '%{http_code}' http://localhost/metrics)"
proctorctl reexec --reason=test --quiet
check "after an upgrade, too" "# EOF" "$(get http://localhost/metrics | tail -1)"
check "a second one is told that the place is taken" "1" "$("$1" --private-bus --state-dir="$folder/other" \
    --runtime-dir="$folder/run2" --manifests="$folder/children.d" --metrics-socket="$folder/metrics" \
    2>&1 >/dev/null | grep -c 'Address already in use')"
exec 5>&-
plan
