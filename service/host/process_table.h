/*
 * Process table: the main processes that run, by their PIDs; and what the leaf of each is called.
 */
#pragma once

#include "host/cgroup.h"

#include <stdbool.h>
#include <sys/types.h>

struct host;
struct process;

/* In it as long as it runs, under its main_pid. */
void process_link(struct host *host, struct process *process);
void process_unlink(struct host *host, struct process *process);
struct process *process_of_pid(const struct host *host, pid_t pid); /* NULL: none of ours */

void process_leaf(const struct process *process, char name[CGROUP_LEAF_MAX]);

/* What it leaves behind stays, in a leaf of this attempt's own, which its mark names. */
bool process_keeps_leftovers(const struct process *process);
void process_choose_mark(struct process *process);
