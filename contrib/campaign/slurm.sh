#!/bin/sh
# A campaign as a Slurm array: sbatch --array=0-99 slurm.sh. Each task is one shard; a task that is requeued
# continues from its checkpoint. Afterwards: proctor-sim campaign merge shards/*
#SBATCH --job-name=proctor-campaign
#SBATCH --requeue
#SBATCH --output=shards/%a.log
set -eu
: "${SEEDS:=0..10000000}" # the same for all of them
mkdir -p shards/store
exec proctor-sim campaign --seeds "$SEEDS" --shard "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN))/$SLURM_ARRAY_TASK_COUNT" \
    --jobs "${SLURM_CPUS_PER_TASK:-1}" --checkpoint "shards/$SLURM_ARRAY_TASK_ID" --store shards/store
