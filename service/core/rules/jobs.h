/*
 * Jobs: their queue, their results, and the record that is left of each (job.h). So many run at
 * once; the others wait in the order in which they came.
 */
#pragma once

#include <stdint.h>

struct child;
struct completion;
struct core;
struct job;

void job_enter_queue(struct core *core, struct job *job);
int job_let_go(struct core *core, struct job *job);

/* What its process has left behind, before anything is decided about its end. */
void job_note_completion(struct child *child, const struct completion *completion);

/* Its record goes away, or, in a shutdown, its attempt is over. */
void job_child_gone(struct core *core, struct child *child);

/* The record of its child is released. */
void job_child_forgotten(struct child *child);

/* A shutdown starts no job any more. */
void jobs_stop(struct core *core);

/* The end of each input: places that are free, and the jobs that wait for one. A job that waits for
 * a dependency, or for the one of its name, holds up none behind it. */
void jobs_look(struct core *core);
struct job *job_new(struct core *core, const char *name, uint64_t id);
void job_link(struct core *core, struct job *job);

/* A job as it was in another core: first it is there, then, when its state is known, it takes its
 * place among those of its name and in the queue. */
int job_restore(struct core *core, const char *name, uint64_t id, struct job **job);
void job_restored(struct core *core, struct job *job);
