#!/bin/bash
# The clients of examples/clients against a real proctord: clients.sh PROCTORD PROCTORCTL SDBUS GDBUS
# FOLDER
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<'EOF'
children:
  - {name: cache, exec: [/bin/sleep, "1000"]}
  - {name: web, exec: [/bin/sleep, "1000"]}
EOF
generation=0

client() { # NAME COMMAND...
    local name=$1
    shift
    check "$name: lists" "cache: ready, generation 0
web: ready, generation $generation" "$("$@" 2>&1)"
    "$@" web >"$folder/said" 2>&1 || cat "$folder/said"
    generation=$((generation + 1))
    check "$name: restarts" "web: ready, generation $generation" \
        "$("$@" 2>&1 | grep '^web')"
    check "$name: is refused" "1" "$("$@" nobody 2>&1 | grep -c 'NoSuchChild')"
}

is_up() { [ "$(proctorctl list --no-legend | grep -c ready)" = 2 ]; }
until_true is_up
client sd-bus "$3"
client "GDBus in C" "$4"
for script in dbus_python.py gdbus.py; do
    if /usr/bin/python3 -c "import $([ $script = gdbus.py ] && echo gi || echo dbus)" 2>/dev/null; then
        client "$script" /usr/bin/python3 "$5/$script"
    else
        skip "$script" "its library is not installed"
    fi
done
plan
