/*
 * Taking in a job: it is declared as a child below the supervisor of the jobs, and waits for its
 * place. One of the same name that is under way is a reason to refuse it, is replaced by it, or is
 * waited for.
 */
#pragma once

#include "core/model/declaration.h"

#include <stdint.h>

struct child_declaration;
struct core;
struct declaration_problem;
struct job;

void jobs_set_most(struct core *core, uint32_t max_jobs);
int run_job_take_in(struct core *core, const struct child_declaration *declaration,
                    enum same_name same_name, const char *requester, const char *reason,
                    struct job **job, struct declaration_problem *problem);
