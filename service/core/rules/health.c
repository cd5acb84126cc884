/*
 * Health checks. One question is open at a time; its number tells a late answer
 * from the one that is waited for. Misses count only after the first pass, as a
 * program that is still starting is not sick.
 */
#include "core/rules/health.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/private.h"
#include "core/rules/liveness.h"
#include "core/rules/watch.h"

#define UNTIL_READY_USEC 1000000 /* the longest pause while the start waits for the first pass */

/* Until it is ready by its check, it is asked at least once a second: readiness
 * should not wait for a long interval. */
static void ask_later(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;
    uint64_t pause = declaration->health_usec;

    if (declaration->readiness == READINESS_CHECK && !child->attempt.check_passed &&
        pause > UNTIL_READY_USEC)
        pause = UNTIL_READY_USEC;
    child_arm(core, child, TIMER_HEALTH, core_after(core, pause));
}

void health_begin(struct core *core, struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    if (child->config->declaration.health_usec > 0 && !attempt->cancel_delivered &&
        !attempt->abort_requested)
        ask_later(core, child);
}

/* Another check is another question: what the old one has found says nothing
 * about the new one. Only `unhealthy` stays until a check passes. */
void health_change(struct core *core, struct child *child)
{
    struct attempt *attempt = &child->attempt;

    if (!attempt->spawned)
        return;
    health_end(core, child);
    attempt->check_passed = false;
    attempt->check_misses = 0; /* of the question before */
    if (child->config->declaration.health_usec > 0) {
        ask_later(core, child);
        return;
    }
    attempt->unhealthy = false;
    liveness_trust(core, child);
}

/* `retries` in a row; a single pass begins the count again. */
static void note_miss(struct core *core, struct child *child, const char *why)
{
    struct attempt *attempt = &child->attempt;

    if (!attempt->check_passed || attempt->unhealthy)
        return;
    if (++attempt->check_misses < child->config->declaration.health_retries)
        return;
    attempt->unhealthy = true;
    liveness_doubt(core, child, true, why, child->config->declaration.on_unhealthy);
}

/* One pass is enough to recover: the check is the authority in both
 * directions. */
static void note_pass(struct core *core, struct child *child)
{
    struct attempt *attempt = &child->attempt;

    attempt->check_misses = 0;
    attempt->unhealthy = false;
    liveness_trust(core, child);
    if (child->config->declaration.readiness == READINESS_CHECK)
        liveness_become_ready(core, child);
}

/* The number is part of the question, so that the answer to a question that was
 * withdrawn can be told apart. */
static void ask(struct core *core, struct child *child)
{
    struct attempt *attempt = &child->attempt;

    attempt->check_open = true;
    attempt->checks++;
    child_arm_timeout(core, child, TIMER_HEALTH, child->config->declaration.health_timeout_usec);
    if (core->ports.check)
        core->ports.check(core->ports.userdata, child, child_attempt_id(child), attempt->checks);
}

void health_recovered(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child))
        if (child->attempt.active && child->attempt.check_open)
            ask(core, child);
}

/* The timer has two meanings: with an open question it is the timeout of the
 * answer, otherwise the moment to ask. */
void health_due(struct core *core, struct child *child)
{
    struct attempt *attempt = &child->attempt;

    if (attempt->check_open) {
        health_ask_no_more(core, child);
        ask_later(core, child);
        note_miss(core, child, "no answer within its timeout");
        return;
    }
    ask(core, child);
}

/* An answer after the timeout has been dropped before it comes here: nothing
 * waits for it. */
void health_answered(struct core *core, struct child *child, bool passed, const char *why)
{
    child->attempt.check_open = false;
    child->attempt.check_passed |= passed;
    ask_later(core, child);
    if (passed)
        note_pass(core, child);
    else
        note_miss(core, child, why);
}
