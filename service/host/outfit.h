/*
 * Outfit: what a child's process is given for its start, and where it runs: its environment,
 * output, sockets, kept descriptors, the pipe for a job's result, its cgroup. All of it goes to the
 * spawner with the plan (spawner.h).
 */
#pragma once

#include "host/environment.h"
#include "host/sandbox.h"
#include "host/spawner.h"

struct process;

/* Sends it on its way; ended() gets what became of it. Returns 0, or a negative errno with
 * result_error and result_reason set. */
int process_send_launch(struct process *process, const struct account *account,
                        void (*ended)(void *userdata, const struct launch_outcome *outcome));

/* Where its output goes, to be closed by the caller; -ENODATA: nowhere. A negative errno. */
int process_open_output(struct process *process);
/* Its leaf, to be closed by the caller, and -1 where there are no cgroups. Returns 0, or a negative
 * errno with result_error and result_reason set. */
int process_open_leaf(struct process *process, int *cgroup);

/* What of the plan is about its sandbox; source->sandbox is the caller's to free. Returns 0, or a
 * negative errno with result_error and result_reason set. */
int process_make_sandbox(struct process *process, const struct environment *environment,
                         struct plan_source *source);

/* Sets result_error and result_reason. The first returns the error. */
int process_step_failed(struct process *process, int error, const char *step, const char *what);
void process_launch_failed(struct process *process, const struct launch_outcome *outcome);
