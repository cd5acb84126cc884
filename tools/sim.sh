#!/bin/sh
# Everything that the simulator can prove: BUILD SEEDS. The campaign is of as many seeds on each
# machine, fast or slow: a failure is one of what changed.
set -eu
sim=$1/sim/proctor-sim seeds=$2
echo "== scenarios"
"$sim" test --failed tests/scenarios
echo "== exploration"
for space in tests/scenarios/explore/*.yaml; do
    echo "$space"
    "$sim" explore "$space"
done
echo "== campaign"
"$sim" campaign --complete --seeds "0..$seeds" --store "$1"
echo "== mutants"
"$sim" mutants --build "$1"
echo "== figures"
"$sim" bench
