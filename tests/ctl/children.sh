#!/bin/bash
# children.sh PROCTORD PROCTORCTL SOURCE C: the example children, in C, Python and shell: each says that it
# is ready, beats, goes silent when it is stopped, is restarted for that, and stops in order.
. "$(dirname "$0")/proctord.sh"
source=$3 c=$(realpath "$4")
tree="supervisor: root
children:
"
for child in c py sh; do
    case $child in
    c) exec="[$c]" ;;
    py) exec="[/usr/bin/python3, $source/examples/children/beats.py]" ;;
    sh) exec="[$source/examples/children/beats.sh]" ;;
    esac
    tree+="  - {name: $child, exec: $exec, readiness: explicit, backoff: {initial: 10ms},
     heartbeat: {interval: 400ms, stale_after: 1200ms, on_stale: restart}}
"
done
begin "$1" "$2" <<<"$tree"

field() { proctorctl --json=short status "$1" | grep -o "\"$2\":[^,]*" | head -1 | cut -d: -f2- | tr -d '"'; }
beats() { [ "$(field "$1" last_heartbeat_usec)" -gt 0 ] && [ "$(field "$1" status)" = ready ]; }
silent() { [ "$(proctorctl events --kind=child-heartbeat-stale "$1" | wc -l)" = 1 ]; }
again() { [ "$(field "$1" attempt)" = 2 ] && beats "$1"; }
for child in c py sh; do
    check "$child: says that it is ready, and beats" 0 "$(until_true beats $child; echo $?)"
    check "$child: says what it does" serving "$(field $child status_text)"
    kill -STOP "$(field $child main_pid)"
    check "$child: its silence is noticed" 0 "$(until_true silent $child; echo $?)"
    check "$child: and it is restarted" 0 "$(until_true again $child; echo $?)"
done
check "all of them stop in order" "graceful graceful graceful" \
    "$(proctorctl shutdown --reason=test --wait | awk '/^(c|py|sh) / { print $2 }' | paste -sd' ')"
plan
