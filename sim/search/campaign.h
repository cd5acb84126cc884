/*
 * Campaign: seed after seed of generated worlds, on several processors or machines.
 *
 * Seeds are handed out in chunks. A shard I/N takes every Nth chunk; a checkpoint says how far it
 * has come and what it has seen, so that a stopped campaign can continue and the checkpoints of
 * shards add up (campaign merge).
 */
#pragma once

#include "runs/run.h"

#define CAMPAIGN_CHUNK 64

struct campaign_options {
    uint64_t first, last; /* seeds; last is not run. UINT64_MAX: no end */
    double seconds;       /* 0: no limit */
    unsigned jobs;
    unsigned shard, shards;
    const char *checkpoint; /* NULL: none */
    const char *store;      /* folder for the trace of the first failure; NULL: "." */
    double shrink_seconds;
    bool keep_going; /* count failures, do not stop at the first */
    bool progress;   /* a bar on stderr */
    bool complete;   /* fails where something was never drawn, or never occurred */
    bool quiet;      /* one line on stdout, where a check failed: for mutants */
};

struct campaign_totals {
    uint64_t runs, inputs, failures;
    double simulated_seconds, seconds;
    uint64_t marks[2];
    unsigned states;
    uint64_t failed_seed, inputs_to_failure;
    double seconds_to_failure;
    struct verdict verdict; /* of the first failure */
};

/* Returns an exit status: 0, 1 where a check failed, 2 for a mistake in the options. */
int campaign_run(const struct campaign_options *options, struct campaign_totals *totals);

/* Adds up checkpoints and prints the sum. */
int campaign_merge(int count, char **paths);

/* The chooser and its seed for a seed of a campaign: most are random, some PCT. */
void campaign_begin_schedule(struct schedule *schedule, uint64_t seed);
