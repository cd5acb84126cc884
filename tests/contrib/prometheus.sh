#!/bin/bash
# prometheus.sh PROCTORD PROCTORCTL SOURCE: the alert rules and the dashboard of contrib/, and, with a real
# Prometheus and Alertmanager, a child that is given up and the alert that follows.
. "$(dirname "$0")/../ctl/proctord.sh"
source=$3
contrib=$source/contrib

# ---- what is named in them is there ----
port=$((20000 + RANDOM % 20000))
options=(--no-cgroups "--metrics-listen=127.0.0.1:$port" --metrics-children)
begin "$1" "$2" <<'X'
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: bad, exec: [/bin/false], autostart: false, restart_limit: {burst: 1, interval: 1h},
     backoff: {initial: 1ms, max: 2ms}}
X
named() { grep -oh 'proctor_[a-z_]*' "$@" | sort -u; }
known() {
    sed -n 's/^| `\(proctor_[a-z_]*\)` | [^|]* | \([a-z]*\) |.*/\1 \2/p' "$source/docs/dbus.md" | while read -r name type; do
        case $type in
        counter) echo "${name}_total" ;;
        histogram) printf '%s\n' "${name}_bucket" "${name}_sum" "${name}_count" ;;
        *) echo "$name" ;;
        esac
    done | sort -u
}
check "the rules use metrics that there are" "" "$(comm -23 <(named "$contrib/prometheus/proctor.rules.yml") <(known))"
check "so does the dashboard" "" "$(comm -23 <(named "$contrib/grafana/proctor.json") <(known))"
check "and kinds of events that there are" "" "$(grep -oh 'kind=\\*"[a-z-]*' "$contrib"/prometheus/*.yml \
    "$contrib"/grafana/*.json | sed 's/.*"//' | sort -u | while read -r kind; do
    grep -q "^| \`$kind\`" "$source/docs/dbus.md" || echo "$kind"; done)"
check "the dashboard is JSON, and no two panels overlap" "" "$(python3 - "$contrib/grafana/proctor.json" <<'X'
import json
import sys

seen = {}
for panel in json.load(open(sys.argv[1]))["panels"]:
    at = panel["gridPos"]
    for x in range(at["x"], at["x"] + at["w"]):
        for y in range(at["y"], at["y"] + at["h"]):
            if (x, y) in seen or x > 23:
                print(panel["title"], seen.get((x, y)))
            seen[x, y] = panel["title"]
X
)"
if ! command -v promtool >/dev/null; then
    skip "the rules" "NO promtool HERE (package prometheus): THE ALERTS ARE NOT TESTED"
    plan
    exit
fi
check "the rules are well formed" 1 "$(promtool check rules "$contrib/prometheus/proctor.rules.yml" | grep -c 'SUCCESS: 6 rules')"
check "the tests of the rules pass" 1 "$(promtool test rules "$contrib/prometheus/proctor.rules_test.yml" | grep -c SUCCESS)"
check "the example is well formed" 1 "$(promtool check config "$contrib/prometheus/prometheus.yml" | grep -c 'is valid prometheus config')"

# ---- for real ----
alertmanager=$(command -v prometheus-alertmanager || command -v alertmanager)
if ! command -v prometheus >/dev/null || [ -z "$alertmanager" ]; then
    skip "a real alert" "NO prometheus AND prometheus-alertmanager HERE: THE ALERT IS NOT TESTED FOR REAL"
    plan
    exit
fi
mkdir "$folder/prometheus"
cp "$contrib/prometheus/proctor.rules.yml" "$folder/prometheus/"
cat >"$folder/prometheus/prometheus.yml" <<X
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [proctor.rules.yml]
scrape_configs:
  - {job_name: proctor, static_configs: [{targets: ['127.0.0.1:$port']}]}
alerting:
  alertmanagers: [{static_configs: [{targets: ['127.0.0.1:$((port + 1))']}]}]
X
printf 'route: {receiver: none}\nreceivers: [{name: none}]\n' >"$folder/alertmanager.yml"
prometheus --config.file="$folder/prometheus/prometheus.yml" --storage.tsdb.path="$folder/data" \
    --web.listen-address="127.0.0.1:$((port + 2))" >"$folder/prometheus.log" 2>&1 &
one=$!
"$alertmanager" --config.file="$folder/alertmanager.yml" --storage.path="$folder/alerts" --cluster.listen-address= \
    --web.listen-address="127.0.0.1:$((port + 1))" >"$folder/alertmanager.log" 2>&1 &
other=$!
trap 'kill $one $other $daemon; wait; rm -rf "$folder"' EXIT
asked() { curl -s --max-time 5 -G "http://127.0.0.1:$((port + 2))/api/v1/query" --data-urlencode "query=$1"; }
scraped() { asked 'up{job="proctor"}' | grep -q '"1"\]'; }
until_true scraped
check "Prometheus reads it" yes "$(scraped && echo yes || tail -2 "$folder/prometheus.log")"
children() { asked 'proctor_child_running{child="web"}' | grep -q '"1"\]'; }
check "each child with its id" yes "$(until_true children && echo yes)"
alerts() { curl -s --max-time 5 "http://127.0.0.1:$((port + 1))/api/v2/alerts"; }
check "nothing is wrong yet" "[]" "$(until_true alerts >/dev/null; alerts)"
proctorctl restart bad --reason="to see it fail" >/dev/null
fires() { alerts | grep -q '"alertname":"ProctorChildGivenUp"'; }
check "a child is given up: the alert is with the Alertmanager" yes "$(until_true fires && echo yes)"
check "and says what to do" 1 "$(alerts | grep -c 'proctorctl list --failed')"
proctorctl remove bad --reason="that is enough" --wait >/dev/null
resolved() { asked 'ALERTS{alertname="ProctorChildGivenUp"}' | grep -q '"result":\[\]'; }
check "it is over when the child is gone" yes "$(until_true resolved && echo yes)"
plan
