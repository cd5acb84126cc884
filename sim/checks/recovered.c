/*
 * Compares the core that died with the one that was recovered from its journal,
 * field by field, with a name for the field that differs. The comparison byte
 * by byte (see crash.c) finds the same differences; this one says what they
 * are.
 */
#include "checks/recovered.h"

#include "core/model/child.h"
#include "core/model/members.h"
#include "core/query.h"
#include "core/vocabulary/invariant.h"
#include "world/world.h"

#include <string.h>

/* ---- the same one? --------------------------------------------------------------------------- */

static bool same_child(const struct child *a, const struct child *b)
{
    return a && b ? a->slot == b->slot && a->serial == b->serial : a == b;
}

static bool same_supervisor(const struct supervisor *a, const struct supervisor *b)
{
    return a && b ? strcmp(a->path, b->path) == 0 : a == b;
}

static bool same_job(const struct job *a, const struct job *b)
{
    return a && b ? a->id == b->id : a == b;
}

static bool same_group(const struct group *a, const struct group *b)
{
    return a && b ? strcmp(a->declaration.name, b->declaration.name) == 0 : a == b;
}

/* Its place among the groups of its supervisor; that of the supervisor itself is no group's. */
static size_t place_of(const struct scope *scope)
{
    const struct supervisor_config *config = scope->supervisor->config;
    size_t n = 0;

    while (n < config->declaration.n_groups && scope != &config->groups[n].scope)
        n++;
    return n;
}

static bool same_scope(const struct scope *a, const struct scope *b)
{
    return a && b ? same_supervisor(a->supervisor, b->supervisor) && place_of(a) == place_of(b)
                  : a == b;
}

static bool same_exits(const struct restart_limit *a, const struct restart_limit *b)
{
    if (a->used != b->used || a->burst != b->burst)
        return false;
    for (uint32_t i = 0; i < a->used; i++)
        if (a->ring[(a->first + i) % (a->burst + 1)] != b->ring[(b->first + i) % (b->burst + 1)])
            return false;
    return true;
}

#define SAME_VALUE(member)      (memcmp(&a->member, &b->member, sizeof(a->member)) == 0)
#define SAME_TEXT(member)       (strcmp(a->member, b->member) == 0)
#define SAME_CHILD(member)      same_child(a->member, b->member)
#define SAME_JOB(member)        same_job(a->member, b->member)
#define SAME_GROUP(member)      same_group(a->member, b->member)
#define SAME_SCOPE(member)      same_scope(a->member, b->member)
#define SAME_SUPERVISOR(member) same_supervisor(a->member, b->member)
#define SAME_RING(member)       same_exits(a, b)
#define SAME_ARMED(member)      (a->deadline_usec == 0 || SAME_VALUE(member))
#define SAME_LISTED(member)     (!a->restarting || SAME_SCOPE(member))
#define SAME_RECORD(member)     true /* by a walk of its own, below */
#define SAME_LINK(member)       true
#define SAME_PASSING(member)    true
#define LOOK_AT(member, how)                                                                       \
    if (!SAME_##how(member))                                                                       \
        return #member;

/* ---- one record ------------------------------------------------------------------------------ */

/* Each returns the first member that is different; NULL: none is. */
#define WALK(name, type) static const char *name(const struct type *a, const struct type *b)

WALK(stop_causes_differ, stop_causes)
{
#define RECORD_STOP_CAUSES(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_STOP_CAUSES
    return NULL;
}

WALK(kill_differs, kill)
{
#define RECORD_KILL(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_KILL
    return NULL;
}

WALK(main_end_differs, main_end)
{
#define RECORD_MAIN_END(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_MAIN_END
    return NULL;
}

WALK(last_exit_differs, last_exit)
{
#define RECORD_LAST_EXIT(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_LAST_EXIT
    return NULL;
}

WALK(stale_report_differs, stale_report)
{
#define RECORD_STALE_REPORT(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_STALE_REPORT
    return NULL;
}

WALK(pending_differs, pending_restart)
{
#define RECORD_PENDING_RESTART(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_PENDING_RESTART
    return NULL;
}

WALK(shutdown_differs, child_shutdown)
{
#define RECORD_CHILD_SHUTDOWN(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_CHILD_SHUTDOWN
    return NULL;
}

WALK(words_differ, operation_words)
{
#define RECORD_OPERATION_WORDS(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_OPERATION_WORDS
    return NULL;
}

WALK(status_text_differs, status_text)
{
#define RECORD_STATUS_TEXT(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_STATUS_TEXT
    return NULL;
}

WALK(failure_differs, failure)
{
#define RECORD_FAILURE(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_FAILURE
    return NULL;
}

WALK(limit_differs, restart_limit)
{
#define RECORD_RESTART_LIMIT(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_RESTART_LIMIT
    return NULL;
}

WALK(timer_differs, timer)
{
#define RECORD_TIMER(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_TIMER
    return NULL;
}

WALK(member_differs, member)
{
#define RECORD_MEMBER(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_MEMBER
    return NULL;
}

WALK(scope_differs, scope)
{
#define RECORD_SCOPE(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_SCOPE
    return NULL;
}

WALK(budget_differs, budget)
{
#define RECORD_BUDGET(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_BUDGET
    return NULL;
}

WALK(tally_differs, tally)
{
#define RECORD_TALLY(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_TALLY
    return NULL;
}

WALK(output_differs, job_output)
{
#define RECORD_JOB_OUTPUT(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_JOB_OUTPUT
    return NULL;
}

/* ---- records that have others ---------------------------------------------------------------- */

#define FIRST(difference)                                                                          \
    do {                                                                                           \
        const char *difference_ = difference;                                                      \
        if (difference_)                                                                           \
            return difference_;                                                                    \
    } while (0)

WALK(attempt_differs, attempt)
{
#define RECORD_ATTEMPT(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_ATTEMPT
    FIRST(main_end_differs(&a->main, &b->main));
    FIRST(stop_causes_differ(&a->stop, &b->stop));
    return kill_differs(&a->kill, &b->kill);
}

WALK(child_differs, child)
{
#define RECORD_CHILD(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_CHILD
    FIRST(member_differs(&a->member, &b->member));
    FIRST(failure_differs(a->failure, b->failure));
    FIRST(last_exit_differs(a->last_exit, b->last_exit));
    FIRST(shutdown_differs(a->shutdown, b->shutdown));
    FIRST(stale_report_differs(a->last_stale, b->last_stale));
    FIRST(words_differ(a->words, b->words));
    FIRST(status_text_differs(a->status_text, b->status_text));
    FIRST(attempt_differs(&a->attempt, &b->attempt));
    FIRST(pending_differs(&a->pending, &b->pending));
    FIRST(limit_differs(&a->restart_limit, &b->restart_limit));
    for (int t = 0; t < CHILD_TIMERS; t++)
        FIRST(timer_differs(&a->timers[t], &b->timers[t]));
    return !a->next_config == !b->next_config ? NULL : "next_config";
}

WALK(group_differs, group)
{
#define RECORD_GROUP(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_GROUP
    FIRST(limit_differs(&a->limit, &b->limit));
    FIRST(budget_differs(&a->budget, &b->budget));
    return scope_differs(&a->scope, &b->scope);
}

WALK(supervisor_differs, supervisor)
{
#define RECORD_SUPERVISOR(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_SUPERVISOR
    FIRST(member_differs(&a->member, &b->member));
    FIRST(limit_differs(&a->limit, &b->limit));
    FIRST(scope_differs(&a->scope, &b->scope));
    FIRST(tally_differs(&a->tally, &b->tally));
    if (a->config->declaration.n_groups != b->config->declaration.n_groups)
        return "groups";
    for (size_t g = 0; g < a->config->declaration.n_groups; g++)
        FIRST(group_differs(&a->config->groups[g], &b->config->groups[g]));
    return NULL;
}

WALK(job_differs, job)
{
#define RECORD_JOB(member, how, why) LOOK_AT(member, how)
#include "checks/records.def"
#undef RECORD_JOB
    return output_differs(&a->output, &b->output);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void say(struct world *world, const char *name, const char *difference)
{
    if (difference)
        world_fail(world, CHECK_RECOVERY, "%s: %s is another one in the recovered core", name,
                   difference);
}

/* Walks through both trees side by side, in the order of declaration, which a
 * recovery must preserve. */
void recovered_compare(struct world *world, const struct core *dead, const struct core *alive)
{
    const struct child *a = core_first(dead), *b = core_first(alive);
    for (; a && b; a = core_next(a), b = core_next(b))
        say(world, a->id, child_differs(a, b));
    say(world, "the tree", !a == !b ? NULL : "the number of children");

    INVARIANT(dead && alive && dead != alive);
    const struct supervisor *s = core_first_supervisor(dead), *t = core_first_supervisor(alive);
    for (; s && t; s = core_next_supervisor(s), t = core_next_supervisor(t))
        say(world, s->path, supervisor_differs(s, t));
    say(world, "the tree", !s == !t ? NULL : "the number of supervisors");

    const struct job *j = core_first_job(dead), *k = core_first_job(alive);
    for (; j && k; j = j->next, k = k->next)
        say(world, j->name, job_differs(j, k));
    say(world, "the jobs", !j == !k ? NULL : "their number");
}
