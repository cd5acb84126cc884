#!/bin/bash
# Paths that others control, against a real proctord: FIFOs, folders and links where files should be,
# files that move: files.sh PROCTORD PROCTORCTL
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<'EOF'
children:
  - {name: talks, exec: [/bin/sh, -c, 'until [ -p @/say ]; do sleep 0.01; done; while read -r line; do echo "$line"; done <@/say'], stdout: {file: @/talks.log, keep: 2}}
EOF
mkfifo "$folder/say"
exec 3<>"$folder/say"
alive() { timeout 20 proctorctl status talks >/dev/null && kill -0 $daemon && echo alive; }
says() { [ "$(tail -n 1 "$1" 2>/dev/null)" = "$2" ]; }
said() { # FILE LINE: says the line, and waits until it is there
    echo "$2" >&3
    until_true says "$1" "$2" && echo "$2"
}

# ---- manifests ----
mkfifo "$folder/fifo.yaml"
check "check: a FIFO" "$folder/fifo.yaml: is a FIFO, not a file" \
    "$(timeout 20 proctorctl check "$folder/fifo.yaml" 2>&1)"
check "check: a device" "/dev/zero: is a device, not a file" "$(timeout 20 proctorctl check /dev/zero 2>&1)"
check "add: a FIFO" "proctorctl: $folder/fifo.yaml: is a FIFO, not a file" \
    "$(timeout 20 proctorctl add "$folder/fifo.yaml" --reason=test 2>&1)"
check "run: a FIFO" "proctorctl: $folder/fifo.yaml: is a FIFO, not a file" \
    "$(timeout 20 proctorctl run "$folder/fifo.yaml" --reason=test 2>&1)"
check "add: a folder" "proctorctl: $folder: is a folder, not a file" \
    "$(timeout 20 proctorctl add "$folder" --reason=test 2>&1)"
mkfifo "$folder/children.d/x.yaml"
check "reload: a FIFO" 1 "$(timeout 20 proctorctl reload --reason=test 2>&1 | grep -c 'x.yaml: is a FIFO, not a file')"
check "and proctord lives" alive "$(alive)"
rm "$folder/children.d/x.yaml"
mkdir "$folder/children.d/x.yaml"
check "reload: a folder" 1 "$(timeout 20 proctorctl reload --reason=test 2>&1 | grep -c 'x.yaml: is a folder, not a file')"
rmdir "$folder/children.d/x.yaml"

# ---- environment files ----
printf 'A=1\n# comment\nexport B=2\n' >"$folder/app.env"
printf 'name: app\nexec: [/bin/true]\nenvironment_file: %s\n' "$folder/app.env" >"$folder/app.yaml"
check "check: a line of an environment file" "$folder/app.env:3: \"export\" is not supported: expected NAME=VALUE" \
    "$(timeout 20 proctorctl check "$folder/app.yaml" 2>&1)"
check "proctord --check: the same" "$folder/app.env:3: \"export\" is not supported: expected NAME=VALUE" \
    "$(timeout 20 "$1" --check --manifests="$folder/app.yaml" 2>&1)"
rm "$folder/app.env"
mkfifo "$folder/app.env"
check "check: a FIFO as environment file" "$folder/app.env: is a FIFO, not a file" \
    "$(timeout 20 proctorctl check "$folder/app.yaml" 2>&1)"
rm "$folder/app.env"
check "check: an environment file that is not there yet" 0 "$(timeout 20 proctorctl check "$folder/app.yaml" >/dev/null 2>&1; echo $?)"

# ---- what a child is given ----
add() { printf '%s\n' "$1" | timeout 20 proctorctl add - --reason=test >/dev/null 2>&1; }
mkfifo "$folder/fifo"
failed() { timeout 20 proctorctl status "$1" | grep -q 'not a file\|Wrong medium'; }
add "{name: piped, exec: [/bin/true], restart: temporary, stdout: {file: $folder/fifo}}"
until_true failed piped
check "stdout: a FIFO is no file" "0 alive" "$(failed piped; echo $?) $(alive)"
add "{name: fed, exec: [/bin/true], restart: temporary, environment_file: $folder/fifo}"
until_true failed fed
check "environment_file: a FIFO is no file" "0 alive" "$(failed fed; echo $?) $(alive)"
printf 'A=1\nexport B=2\n' >"$folder/bad.env"
add "{name: fooled, exec: [/bin/true], restart: temporary, environment_file: $folder/bad.env}"
says_line() { timeout 20 proctorctl status fooled | grep -qF "$folder/bad.env:2: \"export\" is not supported"; }
until_true says_line
check "environment_file: a start names the line" 0 "$(says_line; echo $?)"
printf '\xef\xbb\xbfA=1\n B = x y \nC="two\nlines" \047j\047\nD=a\\\nb\n; c\nA=2\n' >"$folder/good.env"
add "{name: told, exec: [/usr/bin/env], restart: temporary, environment: {B: mine}, environment_file: $folder/good.env, stdout: {file: $folder/told.log}}"
until_true grep -q '^D=' "$folder/told.log"
check "environment_file: what the child gets" "A=2|B=mine|C=two|D=ab|linesj" \
    "$(grep -a '^[ABCD]=\|^lines' "$folder/told.log" | LC_ALL=C sort | tr '\n' '|' | sed 's/|$//')"
add "{name: circled, exec: [/bin/true], restart: temporary, stdout: {file: $folder/circle/log}}"
ln -s circle "$folder/circle"
check "stdout: a link to itself" alive "$(alive)"

# ---- files that move ----
check "output" one "$(said "$folder/talks.log" one)"
mv "$folder/talks.log" "$folder/moved.log"
timeout 20 proctorctl reload --reason=test >/dev/null
check "mv and reload: a new one" two "$(said "$folder/talks.log" two)"
check "the old one is left alone" one "$(cat "$folder/moved.log")"
rm "$folder/talks.log"
kill -HUP $daemon
until_true grep -q reloaded "$folder/errors"
check "rm and SIGHUP: a new one" three "$(said "$folder/talks.log" three)"
again() { echo "$1" >&3; says "$folder/talks.log" "$1"; }
rm "$folder/talks.log"
until_true again four
check "rm alone: a new one, after a moment" four "$(tail -n 1 "$folder/talks.log")"
mv "$folder/talks.log" "$folder/talks.old"
echo secret >"$folder/secret"
ln -s secret "$folder/talks.log"
timeout 20 proctorctl reload --reason=test >/dev/null
check "a link in its place is not followed" five "$(said "$folder/talks.old" five)"
check "what it leads to is as it was" secret "$(cat "$folder/secret")"
rm "$folder/talks.log"
mkfifo "$folder/talks.log"
timeout 20 proctorctl reload --reason=test >/dev/null
check "a FIFO in its place is not used" six "$(said "$folder/talks.old" six)"
check "log: a FIFO is not waited for" 0 "$(timeout 20 proctorctl log talks >/dev/null 2>&1; [ $? = 124 ]; echo $((1 - $?)))"
check "at last" alive "$(alive)"
plan
