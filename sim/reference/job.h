/*
 * Job: which jobs there are, which of them may be taken in, and how they ended.
 */
#pragma once

#include "reference/reference.h"

void ref_end_job(struct ref *r, struct ref_child *c);
/* Its record goes, and its job is over. */
void ref_note_result(struct ref *r, const struct ref_child *c, const struct completion *completion);
void ref_leave(struct ref *r, struct ref_child *c, enum child_status final);
void ref_withdraw_jobs(struct ref *r);

/* Whether a job may be taken in: 0, or the error that it has to get. Then its child is declared,
 * and it is. */
int reference_may_run(struct ref *r, const char *name, enum same_name same_name);
uint32_t ref_jobs(const struct ref *r, enum job_state state); /* so many of them */
bool ref_is_queued_job(const struct ref *r, const struct ref_child *c);
