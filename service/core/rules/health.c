#include "core/rules/health.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/private.h"
#include "core/rules/liveness.h"
#include "core/rules/watch.h"

#define UNTIL_READY_USEC 1000000 /* the longest pause while the start waits for the first pass */

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

static void note_pass(struct core *core, struct child *child)
{
    struct attempt *attempt = &child->attempt;

    attempt->check_misses = 0;
    attempt->unhealthy = false;
    liveness_trust(core, child);
    if (child->config->declaration.readiness == READINESS_CHECK)
        liveness_become_ready(core, child);
}

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
