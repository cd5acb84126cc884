#!/bin/bash
# Bounds of what a caller says, at one less, at the limit and at one more, against a real proctord:
# bounds.sh PROCTORD PROCTORCTL
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<'EOF'
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
EOF
word() { head -c "$1" /dev/zero | tr '\0' x; }
property() { busctl --address="$PROCTOR_BUS_ADDRESS" get-property org.proctor1 \
    /org/proctor1/child/web org.proctor1.Child "$1" | cut -d ' ' -f 2- | tr -d '"'; }
code() { "$@" >"$folder/out" 2>&1; echo $?; }

for i in 255 256; do
    proctorctl resume web --reason=again >/dev/null 2>&1
    check "a reason of $i bytes" 0 "$(code proctorctl pause web --reason="$(word $i)")"
    check "is all there: the audit" 1 "$(proctorctl audit 2>&1 | grep -c "reason=\"$(word $i)\"\|reason=$(word $i)\>" | sed "s:[1-9].*:1:")"
done
check "a reason of 257 bytes" "1 1" "$(code proctorctl pause web --reason="$(word 257)") $(grep -c reason "$folder/out")"
check "a reason of 128 characters of two bytes" 0 \
    "$(code proctorctl resume web --reason="$(for _ in $(seq 128); do printf 'é'; done)")"

call() { busctl --address="$PROCTOR_BUS_ADDRESS" call org.proctor1 /org/proctor1/child/web org.proctor1.Child \
    Pause 'sa{sv}' test 1 "$1" s "$2" >"$folder/out" 2>&1; echo $?; }
for i in 47 48; do check "requested-by of $i bytes" 0 "$(call requested-by "$(word $i)")"; done
for i in 127 128; do check "an idempotency key of $i bytes" 0 "$(call idempotency-key "$(word $i)")"; done
check "requested-by of 49 bytes" "1 1" "$(call requested-by "$(word 49)") $(grep -c requested-by "$folder/out")"
check "an idempotency key of 129 bytes" "1 1" \
    "$(call idempotency-key "$(word 129)") $(grep -c idempotency-key "$folder/out")"

add() { printf '%s' "$1" | proctorctl add - --reason=test >"$folder/out" 2>&1; echo $?; }
text() { printf "{name: m%s}\n#" "$1"; word $(($1 - 11 - ${#1})); }
for i in 65535 65536; do
    manifest=$(text $i)
    check "a manifest of ${#manifest} bytes" 0 "$(add "$manifest")"
done
check "a manifest of 65537 bytes" "1 1" "$(add "$(text 65537)") $(grep -c 'longer than 65536' "$folder/out")"

check "log -n 1000000" 0 "$(proctorctl log web -n 1000000 2>&1 | grep -c "up to 1000000")"
check "log -n 1000001" "1 1" "$(code proctorctl log web -n 1000001) $(grep -c 'up to 1000000' "$folder/out")"
for i in 18446744073709551615 0; do check "events --after=$i" 0 "$(code proctorctl events --after=$i)"; done
for i in 18446744073709551616 -1 1x; do
    check "events --after=$i" "1 1" "$(code proctorctl events --after=$i) $(grep -c 'sequence number of an event' "$folder/out")"
done
for i in 0 65 -1 SIGNONE; do
    check "kill web $i" "1 1" "$(code proctorctl kill web --reason=test -- $i) $(grep -c 'signal such as' "$folder/out")"
done
plan
