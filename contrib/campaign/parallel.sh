#!/bin/sh
# A campaign with GNU parallel: parallel.sh [HOSTS], such as "4/a,8/b" (jobs/host; none: this machine). What
# was killed or lost is repeated, at most three times, and continues from its checkpoint.
set -eu
: "${SEEDS:=0..10000000}" "${SHARDS:=100}"
mkdir -p shards
set -- ${1:+--sshlogin "$1" --transferfile shards/{} --return shards/{} --cleanup}
seq 0 $((SHARDS - 1)) | parallel --retries 3 "$@" \
    "proctor-sim campaign --seeds $SEEDS --shard {}/$SHARDS --jobs 1 --checkpoint shards/{}"
exec proctor-sim campaign merge shards/*
