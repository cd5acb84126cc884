#!/bin/bash
# units.sh BUILD SOURCE: the units are well-formed, and how much of the machine they leave to a
# supervisor, by systemd's own measure (0 nothing, 10 all). TAP.
build=$1 source=$2
if ! command -v systemd-analyze >/dev/null; then
    echo "1..0 # SKIP systemd-analyze is not here"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo 1..5

said=
for unit in proctor.service proctor-user.service; do
    sed 's:^ExecStart=[^ ]*:ExecStart=/bin/true:' "$build/policy/$unit" >"$folder/$unit"
    said=$said$(systemd-analyze verify --man=no --recursive-errors=no "$folder/$unit" 2>&1)
done
cp "$source/policy/proctor-metrics.socket" "$folder"
said=$said$(systemd-analyze verify --man=no --recursive-errors=no "$folder/proctor-metrics.socket" 2>&1)
[ -z "$said" ] && echo "ok 1 - well-formed" || echo "not ok 1 - $said"

score() { # tenths
    systemd-analyze security --offline=true --no-pager "$1" |
        sed -n 's/.*Overall exposure level[^:]*: \([0-9]*\)\.\([0-9]\).*/\1\2/p'
}
verdict() { # NUMBER MOST SCORE WHAT
    if [ -n "$3" ] && [ "$3" -le "$2" ]; then echo "ok $1 - $4: exposure ${3%?}.${3: -1}"
    else echo "not ok $1 - $4: exposure $3 tenths, at most $2"; fi
}
verdict 2 45 "$(score "$folder/proctor.service")" "proctor.service"
# The offline mode of older systemd-analyze does not read drop-ins: what it sets comes after.
sed '/^\[Install\]/,$d' "$folder/proctor.service" >"$folder/hardened.service"
sed '/^\[Service\]/d' "$source/examples/hardened.conf" >>"$folder/hardened.service"
verdict 3 30 "$(score "$folder/hardened.service")" "with examples/hardened.conf"

said=$(systemd-sysusers --dry-run "$source/policy/proctor.sysusers" 2>&1 | grep -i "error\|fail\|ignor")
[ -z "$said" ] && echo "ok 4 - sysusers" || echo "not ok 4 - sysusers: $said"
said=$(systemd-tmpfiles --create --root="$folder" "$source/policy/proctor.tmpfiles" 2>&1)
[ -d "$folder/etc/proctor/children.d" ] && echo "ok 5 - tmpfiles" || echo "not ok 5 - tmpfiles: $said"
