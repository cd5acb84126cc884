#!/bin/bash
# The wall clock of a second kernel is set while proctord waits for a run. TAP.
#
#     clock.sh PROCTORD PROCTORCTL WIDE_REGISTERS
here=$(dirname "$(realpath "$0")")
proctord=$(realpath "$1") proctorctl=$(realpath "$2") wide=$(realpath "$3")
SECONDS_IN_ALL=100
skip() {
    echo "1..0 # SKIP $1"
    exit 0
}
command -v linux.uml >/dev/null || skip "user-mode-linux is not installed"
[ -x /bin/dbus-daemon ] || [ -x /usr/bin/dbus-daemon ] || skip "dbus-daemon is not installed"
folder=$(mktemp -d "${TMPDIR:-/tmp}/proctor-clock-XXXXXX")
trap 'rm -rf "$folder"' EXIT
{
    printf 'PROCTORD=%q PROCTORCTL=%q\n' "$proctord" "$proctorctl"
    cat "$here/clock_guest.sh"
} >"$folder/guest"
WIDE_REGISTERS=$wide timeout --signal=KILL $SECONDS_IN_ALL sh "$here/uml.sh" "$folder" "$folder/guest" |
    tr -d '\r' | grep -aE '^(ok|not ok|#|1\.\.)'
