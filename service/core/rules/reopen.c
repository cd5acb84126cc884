/*
 * A tree that was shut down, and is started again by the next proctord: the
 * opposite of shutdown.c. Each child is where its hold and its policy leave it;
 * those that are to run start in the order of the tree, with the delay that was
 * left.
 */
#include "core/rules/reopen.h"

#include "core/model/child_change.h"
#include "core/model/declaration.h"
#include "core/model/present.h"
#include "core/model/start_wait.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/timer.h"
#include "core/private.h"
#include "core/rules/declare.h"
#include "core/rules/due.h"
#include "core/rules/liveness.h"
#include "core/rules/stop.h"

static bool is_over(const struct child *child)
{
    return child->operation == CHILD_REMOVED || child->job;
}

static bool has_stopped_for_good(const struct child *child)
{
    return child->gave_up && child->config->declaration.on_limit == ON_LIMIT_STOP;
}

/* A child whose stop was asked for by the shutdown only is not held; it starts
 * behind the fence if its old process is still there. One that had ended for
 * good before the shutdown stays down, even with autostart. */
static void begin_again(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;
    uint64_t due_usec = child->shutdown->start_usec;

    fence_set_phase(child, FENCE_OPEN);
    *child->shutdown = (struct child_shutdown){};
    if (child->operation == CHILD_ACTIVE)
        stop_order_withdraw(core, child);
    else
        stop_order_for_hold(child); /* it still is to go */
    core_changed(core, child);
    if (is_over(child) && !child->attempt.active) {
        declare_remove(core, child, CHILD_STOPPED, child->operation_cause);
        return;
    }
    child->wanted = child->wanted && declaration->has_process;
    if (is_over(child) || !declaration->has_process)
        return;
    child->wanted = child->wanted || (declaration->autostart && !has_stopped_for_good(child));
    if (child->operation != CHILD_ACTIVE || !child->wanted)
        return;
    if (child->attempt.active) {
        if (child->attempt.cancel_delivered || child->attempt.abort_requested)
            fence_enter(core, child, 0, true, "start");
        return;
    }
    liveness_forget_success(core, child); /* it is to be started again */
    child->automatic_start = child->automatic_start && due_usec > 0;
    child->start_cause = 0;
    start_schedule(core, child, due_usec > core_now(core) ? due_usec : core_now(core));
    if (due_usec <= core_now(core))
        start_name(child);
}

/* Everything that the shutdown has set is taken back first, since the rules
 * that start children ask for it. */
void reopen_tree(struct core *core)
{
    if (core->shutdown_phase == SHUTDOWN_IDLE)
        return;
    core->shutdown_phase = SHUTDOWN_IDLE;
    core->shutdown_command = 0;
    core->shutdown_by_policy = false;
    core->shutdown_by_signal = false;
    core->shutdown_exit_code = 0;
    core->shutdown_unsettled = 0;
    timer_clear(&core->timers, &core->shutdown_bound);
    for (struct supervisor *supervisor = &core->root; supervisor; supervisor = supervisor->next)
        core_changed_supervisor(core, supervisor);
    for (int around = 1; around >= 0; around--) /* those that go around others come before them */
        for (struct child *child = core_first(core), *next; child; child = next) {
            next = core_next(child);
            if (declaration_is_around(&child->config->declaration) == around)
                begin_again(core, child);
        }
    for (struct child *child = core_first(core); child; child = core_next(child))
        due_resume(core, child);
}
