#!/bin/sh
# proctor-sim from the outside: what a person types, what comes back. TAP.
set -u
sim=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0

check() { # name, condition already evaluated as $?
    code=$?
    n=$((n + 1))
    if [ $code -eq 0 ]; then echo "ok $n - $1"; else
        echo "not ok $n - $1"
        sed 's/^/# /' out 2>/dev/null | head -n 8
    fi
}

for command in run test campaign explore replay shrink timeline mutants bench; do
    "$sim" $command --help >out 2>&1 && grep -q "^Usage: proctor-sim $command" out
    check "$command --help tells how it is used"
done
"$sim" wrong >out 2>&1; [ $? -eq 2 ] && grep -q 'unknown command "wrong"' out
check "an unknown command is refused"
"$sim" run >out 2>&1; [ $? -eq 2 ] && grep -q Usage out
check "a missing argument is refused with the usage"

cat >fence.yaml <<'YAML'
scenario: a restart is fenced
tree:
  children:
    - {name: worker, model: [ready, cancel-takes 400ms]}
steps:
  - {at: 10ms, restart: worker, outcome: {decision: queued-after-stop}}
  - {at: 410ms, expect: {child: worker, generation: 1}}
YAML
"$sim" run fence.yaml --twice >out 2>&1 && grep -q '^passed' out && grep -q 'the same hash' out
check "a scenario passes, twice with the same hash"

sed 's/status/x/; s/generation: 1/generation: 7/' fence.yaml >wrong.yaml
"$sim" run wrong.yaml --trace wrong.trace >out 2>&1
[ $? -eq 1 ] && grep -q 'wrong.yaml:7:' out && grep -q 'expected generation: 7, it is generation: 1' out
check "an expectation that does not hold names its line"
schedule=$(sed -n 's/.*--schedule //p' out)
"$sim" run wrong.yaml --seed 0 --schedule "$schedule" >out 2>&1; [ $? -eq 1 ]
check "the printed line repeats the failure"

"$sim" run fence.yaml >/dev/full 2>out; [ $? -eq 2 ] && grep -q 'cannot be written' out
check "a report that cannot be written is no success"

sed 's/restart: worker/restrat: worker/' fence.yaml >typo.yaml
"$sim" run typo.yaml >out 2>&1; [ $? -eq 2 ] && grep -q '^typo.yaml:6:16: steps\[0\].restrat: unknown key, did you mean "restart"' out
check "an unknown key is refused with its place and a hint"
sed 's/cancel-takes 400ms/cancel-takse 400ms/' fence.yaml >typo.yaml
"$sim" run typo.yaml >out 2>&1; [ $? -eq 2 ] && grep -q '^typo.yaml:4:37: ' out
check "an unknown step of a model is refused with its place"
sed 's/restart: worker/restart: somebody/' fence.yaml >typo.yaml
"$sim" run typo.yaml >out 2>&1; [ $? -eq 2 ] && grep -q 'typo.yaml:6:5: no child is called "somebody"' out
check "a child that is not there is refused"
"$sim" run fence.yaml --schedule ABC >out 2>&1; [ $? -eq 2 ] && grep -q checksum out
check "a schedule with a letter missing is refused"

"$sim" run swarm --seed 22 --trace world.trace >out 2>&1 && "$sim" replay world.trace >out 2>&1 &&
    grep -q 'byte for byte' out
check "a trace is repeated byte for byte"
sed 's/child-added/child-gained/' world.trace >changed.trace
"$sim" replay changed.trace >out 2>&1; [ $? -eq 1 ] && grep -q 'DIFFERENT from line' out
check "a changed log is found"
"$sim" replay world.trace --until 3 >out 2>&1 && grep -q '^-- after input 3' out
check "replay stops at an input and shows the state"
printf 'n\nn\np\n5\nq\n' | "$sim" replay world.trace --step >out 2>&1 &&
    grep -q -- '-- after input 3' out && grep -Eq -- '-- after input ([5-9]|1[0-9])' out
check "replay walks back and forth"
"$sim" replay "$source/tests/corpus/journal/of-checkpoint-2" >out 2>&1 &&
    grep -q '^55 inputs' out && grep -q 'of the audit: identical here' out
check "a journal of the version before is lived through"
echo nonsense >bad.trace
"$sim" replay bad.trace >out 2>&1; [ $? -eq 2 ] && grep -q 'not a trace' out
check "what is not a trace is refused"

"$sim" shrink wrong.trace -o short.trace >out 2>&1 && grep -q 'FAILED expectation' out && [ -s short.trace ]
check "a failing trace is shrunk"
"$sim" shrink world.trace >out 2>&1; [ $? -eq 1 ] && grep -q 'nothing to shrink' out
check "a trace that does not fail is not shrunk"

"$sim" timeline world.trace -o run.html && grep -q '<canvas' run.html && ! grep -qE '(src|href)=|https?:' run.html
check "the timeline is one page without a reference to anywhere"
"$sim" timeline world.trace --format svg >out && grep -q '^<svg' out && grep -q '</svg>' out
check "the timeline as svg"
"$sim" timeline world.trace --format json >out && python3 -c 'import json; assert json.load(open("out"))["traceEvents"]'
check "the timeline as json for Perfetto"
"$sim" timeline world.trace --format mermaid >out && grep -q '^gantt' out
check "the timeline as mermaid"
"$sim" timeline world.trace --format text >out && grep -q 'child-added' out
check "the timeline as text"

"$sim" campaign --seeds 0..1280 --shard 0/2 --jobs 2 --checkpoint a >out 2>&1 &&
    "$sim" campaign --seeds 0..1280 --shard 1/2 --checkpoint b >out 2>&1 && "$sim" campaign merge a b >out 2>&1 &&
    grep -q '^1280 seeds' out
check "two shards add up to the whole"
sed '1,/^1280 seeds/!d; /^[ab]: /d' out >whole
"$sim" campaign merge a b a >out 2>&1; [ $? -eq 2 ] && grep -q '^a and a are the same shard, 0/2' out
check "a shard counts once"
"$sim" campaign merge b >out 2>&1; [ $? -eq 2 ] && grep -q '^1 of 2 shards is missing' out
check "what is missing is told"
"$sim" campaign --seeds 0..1281 --shard 0/2 --time 1s --checkpoint e >out 2>&1
"$sim" campaign merge b e >out 2>&1; [ $? -eq 2 ] && grep -q 'are of different campaigns' out
check "shards of two campaigns are no whole"
"$sim" campaign --seeds 0..1280 --shard 0/2 --jobs 1 --time 10ms --checkpoint f >out 2>&1
"$sim" campaign merge b f >out 2>&1; { [ $? -eq 2 ] && grep -q '^f: shard 0/2 is not finished' out; } ||
    [ "$(sed -n 's/^runs: //p' f)" -eq 640 ]
check "nor is one that has stopped in between"
"$sim" campaign --seeds 0..1280 --shard 0/2 --jobs 1 --checkpoint f >out 2>&1 & # and is killed
killed=$!
kill -9 "$killed"
wait "$killed" 2>/dev/null
"$sim" campaign --seeds 0..1280 --shard 0/2 --checkpoint f >out 2>&1
"$sim" campaign merge f b >out 2>&1 && sed '1,/^1280 seeds/!d; /^[fb]: /d' out | cmp -s - whole
check "one that was killed, and repeated, leaves no trace in the sum"
"$sim" campaign --seeds 0.. --time 1s --checkpoint c >out 2>&1
first=$(sed -n 's/^runs: //p' c)
"$sim" campaign --seeds 0.. --time 1s --checkpoint c >out 2>&1
second=$(sed -n 's/^runs: //p' c)
[ "$second" -gt "$first" ] && [ "$second" -eq "$((64 * $(sed -n 's/^next: //p' c)))" ]
check "a campaign goes on where its checkpoint says"
echo damaged >d
"$sim" campaign merge a d >out 2>&1; [ $? -eq 2 ] && grep -q 'not a checkpoint' out
check "a damaged checkpoint is refused"

"$sim" explore "$source/tests/scenarios/explore/one-child.yaml" --depth 3 >out 2>&1
[ $? -eq 1 ] && grep -q 'NOT exhausted' out
check "an exploration that reached its bound says so"
missing=
for file in "$source"/tests/scenarios/*/*.yaml; do
    grep -q "($(basename "$(dirname "$file")")/$(basename "$file"))" "$source/tests/scenarios/README.md" ||
        missing="$missing $(basename "$file")"
done
echo "not in tests/scenarios/README.md:$missing" >out
[ -z "$missing" ]
check "every scenario stands on the map"
echo "1..$n"
