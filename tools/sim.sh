#!/bin/sh
# Everything that the simulator can prove: BUILD SEEDS. The campaign is of as many seeds on each
# machine, fast or slow: a failure is one of what changed.
set -eu
sim=$1/sim/proctor-sim seeds=$2
echo "== scenarios"
"$sim" test --failed tests/scenarios
echo "== exploration"
# One space is explored on one processor: several side by side. What each says comes in one piece.
find tests/scenarios/explore -maxdepth 1 -name '*.yaml' -print0 | sort -z |
    xargs -0 -n 1 -P "$(nproc)" sh -c '
        code=0
        said=$("$1" explore "$2" 2>&1) || code=1
        printf "%s\n%s\n" "$2" "$said"
        exit $code' explore "$sim"
echo "== campaign"
"$sim" campaign --complete --seeds "0..$seeds" --store "$1"
echo "== mutants"
"$sim" mutants --build "$1" --time 300s --shrink 0s
echo "== figures"
"$sim" bench
