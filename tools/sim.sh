#!/bin/sh
# Everything that the simulator can prove: BUILD SECONDS.
set -eu
sim=$1/sim/proctor-sim seconds=$2
echo "== scenarios"
"$sim" test --failed tests/scenarios
echo "== exploration"
for space in tests/scenarios/explore/*.yaml; do
    echo "$space"
    "$sim" explore "$space"
done
echo "== campaign"
"$sim" campaign --time "${seconds}s" --store "$1"
echo "== mutants"
"$sim" mutants --build "$1"
echo "== figures"
"$sim" bench
