#!/bin/bash
# containers.sh PROCTORD PROCTORCTL SOURCE: the commands of the probes in contrib/containers, taken from the files,
# against a real proctord: before its child is ready, while it is, after it was given up, and without proctord. TAP.
. "$(dirname "$0")/../ctl/proctord.sh"
source=$3
contrib=$source/contrib/containers
if ! python3 -c 'import yaml' 2>/dev/null; then
    echo "1..0 # SKIP NO PyYAML HERE (python3-yaml): THE PROBES ARE NOT TESTED"
    exit 0
fi
options=(--no-cgroups)
begin "$1" "$2" <<'X'
name: web
exec: [/bin/sh, -c, "until [ -e @/go ]; do sleep 0.05; done; systemd-notify --ready; until [ -e @/end ]; do sleep 0.05; done; exit 3"]
readiness: explicit
start_timeout: 5m
restart_limit: {burst: 1, interval: 1h}
backoff: {initial: 1ms, max: 1ms}
X

# The command of a probe as a file, with each argument as it stands there.
taken() { # NAME FILE PATH...
    python3 - "$@" >"$folder/$1" <<'X'
import shlex
import sys

import yaml

here = yaml.safe_load(open(sys.argv[2]))
for step in sys.argv[3:]:
    here = here[int(step) if step.isdigit() else step]
if here[0] == "CMD":
    here = here[1:]
print("exec " + " ".join(map(shlex.quote, here)))
X
}
container=(spec template spec containers 0)
taken startup "$contrib/kubernetes.yaml" "${container[@]}" startupProbe exec command
taken readiness "$contrib/kubernetes.yaml" "${container[@]}" readinessProbe exec command
taken liveness "$contrib/kubernetes.yaml" "${container[@]}" livenessProbe exec command
taken compose "$contrib/compose.yaml" services web healthcheck test
{ # HCL: its strings are those of JSON
    python3 - "$contrib/proctor.nomad.hcl" <<'X'
import json
import re
import shlex
import sys

text = open(sys.argv[1]).read()
assert text.count("{") == text.count("}")
command = [re.search(r'^\s*command\s*=\s*"(.*)"', text, re.M)[1]]
command += json.loads(re.search(r"^\s*args\s*=\s*(\[.*\])", text, re.M)[1])
print("exec " + " ".join(map(shlex.quote, command)))
X
} >"$folder/nomad"

probes() { # whether each of them is content
    local name said=
    for name in startup readiness liveness compose nomad; do
        if sh "$folder/$name" >"$folder/out" 2>&1; then said+="$name yes "; else said+="$name no "; fi
        [ ! -s "$folder/out" ] || [ -n "${gone:-}" ] || said+="and said: $(cat "$folder/out") "
    done
    echo "$said"
}
is() { [ "$(proctorctl show web "$1" | sed 's/.*=//')" = "$2" ]; }
until_true is Status running
check "running, not ready yet" "startup yes readiness no liveness yes compose no nomad no " "$(probes)"
touch "$folder/go"
until_true is Status ready
check "ready" "startup yes readiness yes liveness yes compose yes nomad yes " "$(probes)"
proctorctl pause web --reason=test --wait --quiet
check "paused on purpose is no reason to restart the container" \
    "startup no readiness no liveness yes compose no nomad no " "$(probes)"
proctorctl resume web --reason=test --wait --quiet
touch "$folder/end"
until_true is Operation quarantined
check "given up" "startup no readiness no liveness no compose no nomad no " "$(probes)"
PROCTOR_BUS_ADDRESS=unix:path=$folder/nowhere gone=1
check "no proctord" "startup no readiness no liveness no compose no nomad no " "$(probes)"
PROCTOR_BUS_ADDRESS=unix:path=$folder/run/bus

# ---- the files ----
check "the manifest is good" 1 "$(proctorctl check "$contrib/web.yaml" | grep -c 'no errors found')"
check "the command of the image is that of the guide" "$(grep '^CMD' "$source/docs/guide.md")" \
    "$(grep '^CMD' "$contrib/Dockerfile")"
check "a file has no key twice and no tab" "" "$(grep -ln '	' "$contrib"/*)"
check "the pod is given longer than its children need" yes "$(python3 - "$contrib" <<'X'
import sys

import yaml

pod = yaml.safe_load(open(sys.argv[1] + "/kubernetes.yaml"))["spec"]["template"]["spec"]
children = yaml.safe_load(open(sys.argv[1] + "/web.yaml"))["children"]
needed = max(int(child.get("stop", {}).get("timeout", "5s").rstrip("s")) for child in children)
print("yes" if pod["terminationGracePeriodSeconds"] > needed else "no")
X
)"
if command -v docker-compose >/dev/null; then
    check "docker-compose reads its file" 0 "$(docker-compose -f "$contrib/compose.yaml" config -q >&2; echo $?)"
else
    skip "compose.yaml" "NO docker-compose HERE: IT IS ONLY PARSED"
fi
plan
