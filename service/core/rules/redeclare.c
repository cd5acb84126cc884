/*
 * Changing a declaration. Each key says when it takes effect: at once, or at
 * the next start, if it is about the process. If both kinds have changed in a
 * running child, two configurations result: one for now, which is the new one
 * with the process of the old, and the whole new one, which waits
 * (next_config). A change that was taken back before it took effect leaves
 * nothing.
 */
#include "core/rules/redeclare.h"

#include "core/model/child_change.h"
#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/declaration_keys.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/registry.h"
#include "core/model/restart_limit.h"
#include "core/model/sidecar.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/private.h"
#include "core/rules/adopt.h"
#include "core/rules/cycle.h"
#include "core/rules/declare.h"
#include "core/rules/due.h"
#include "core/rules/health.h"
#include "core/rules/liveness.h"
#include "core/rules/plan.h"
#include "core/rules/requirement.h"
#include "core/rules/restart.h"
#include "core/rules/stop.h"
#include "core/rules/watch.h"
#include "core/vocabulary/vocabulary.h"

#include <errno.h>

/* ---- what a change costs --------------------------------------------------------------------- */

/* The last one that was given, in force or not. */
static const struct child_declaration *newest(const struct child *child)
{
    return child->next_config ? &child->next_config->declaration : &child->config->declaration;
}

static bool touches_process(uint64_t keys)
{
    return (keys & declaration_keys_of(KEY_OF_PROCESS)) != 0;
}

/* Whether it is restarted for its keys of the process, if that is asked for: nothing may
 * stand in the way of the start that follows. */
static bool may_restart(const struct core *core, const struct child *child,
                        const struct child_declaration *declaration)
{
    return child->attempt.active && child->operation == CHILD_ACTIVE &&
           !requirement_lacks(core, declaration);
}

/* Compared with the newest declaration, so that the same manifest given twice
 * is no change, even while the first still waits. */
int core_change_of(struct core *core, const struct child_declaration *declaration, bool restart,
                   enum child_change *change)
{
    const struct child *child = core_find(core, declaration->id);
    uint64_t said, due = 0;

    if (!child)
        return -ENOENT;
    int r = declaration_compare(&core->ports, newest(child), declaration, &said);
    if (r == 0 && child->next_config)
        r = declaration_compare(&core->ports, &child->config->declaration, declaration, &due);
    else
        due = said;
    bool waits = child->attempt.active && touches_process(due);
    if (waits && restart && may_restart(core, child, declaration))
        *change = CHANGE_RESTART;
    else if (said == 0)
        *change = CHANGE_NONE;
    else
        *change = waits ? CHANGE_PENDING : CHANGE_IN_PLACE;
    return r;
}

/* ---- what continues with the new keys -------------------------------------------------------- */

static bool is_going(const struct child *child)
{
    return child->attempt.cancel_delivered || child->attempt.abort_requested;
}

/* It is asked to go, or goes by itself: nothing is expected of it any more. What waits for
 * something that proctord lacks has all of its time, by the newer keys, when it continues. */
static bool is_watched(const struct child *child)
{
    const struct attempt *attempt = &child->attempt;

    return attempt->active && !is_going(child) && !attempt->stopping && !attempt->delayed &&
           !attempt->main.gone;
}

/* The window keeps its exits: a failure has happened, whatever the limit is
 * now. */
static void change_limit(struct core *core, struct child *child)
{
    uint64_t next;

    restart_limit_prune(&child->restart_limit, core_now(core), core_realtime(core));
    next = restart_limit_next_change(&child->restart_limit);
    child_disarm(core, child, TIMER_WINDOW);
    if (next > 0)
        child_arm(core, child, TIMER_WINDOW, next);
    restart_tell_limit(core, child, "reload");
}

/* A stop in progress gets the whole new time, from now: an operator who
 * lengthens it wants it to help. */
static void change_stop(struct core *core, struct child *child)
{
    const struct child_declaration *d = &child->config->declaration;

    if (child->attempt.active && is_going(child))
        child_arm_timeout(core, child, TIMER_STOP,
                          child->attempt.abort_requested ? d->abort_timeout_usec
                                                         : child_stop_time(child));
    else if (child->attempt.stopping && child->timers[TIMER_CHANGE].deadline_usec > 0)
        child_arm_timeout(core, child, TIMER_CHANGE, d->stop_timeout_usec);
    stop_order_update(core, child);
}

/* What is in progress continues by the new keys; docs/manifest.md has the
 * table. */
static void apply_keys(struct core *core, struct child *child, uint64_t keys)
{
    if (keys & KEY_BIT(KEY_RESTART_LIMIT))
        change_limit(core, child);
    if (keys & KEY_BIT(KEY_STOP))
        change_stop(core, child);
    if (keys & KEY_BIT(KEY_SCHEDULE))
        due_begin(core, child);
    if (!child->attempt.active && !declaration_is_ready_by_exit(&child->config->declaration))
        liveness_forget_success(core, child);
    if (!is_watched(child))
        return;
    if ((keys & KEY_BIT(KEY_RUN_TIMEOUT)) && child->attempt.spawned)
        child_arm_timeout(core, child, TIMER_RUN, child->config->declaration.run_timeout_usec);
    if (keys & KEY_BIT(KEY_HEARTBEAT))
        liveness_change_heartbeat(core, child);
    if (keys & KEY_BIT(KEY_HEALTH_CHECK))
        health_change(core, child);
    if (keys & (KEY_BIT(KEY_READINESS) | KEY_BIT(KEY_START_TIMEOUT)))
        liveness_change_readiness(core, child, keys & KEY_BIT(KEY_READINESS));
}

/* ---- all of a set ---------------------------------------------------------------------------- */

/* A child that is to have a new declaration. */
struct change {
    struct child *child;
    uint64_t said;               /* the keys that differ from those of the last declaration */
    struct child_config *config; /* that is in force from now on */
    struct child_config *next;   /* that waits for the process; NULL: nothing does */
    bool restarts;
};

static void swap_configs(struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct child_config *old = changes[i].child->config;
        changes[i].child->config = changes[i].config;
        changes[i].config = old;
    }
}

static void note_waiting(struct core *core, const struct change *changes, size_t count)
{
    plan_forget(core);
    for (size_t i = 0; i < count; i++)
        plan_note_waiting(changes[i].child);
}

/* Looks for unknown dependencies and cycles as if the new declarations were in force already. */
static int check_changes(struct core *core, struct change *changes, size_t count,
                         const struct plan_visitor *starts, struct declaration_problem *problem)
{
    int r = 0;

    if (starts)
        note_waiting(core, changes, count);
    swap_configs(changes, count);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = declare_connect(core, changes[i].child, i, problem);
    for (size_t i = 0; r == 0 && i < count; i++)
        sidecar_bind(core, changes[i].child);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = cycle_look(&changes[i].child, 1, problem);
        problem->declaration = i;
    }
    if (r == 0 && starts)
        plan_tell_starts(core, starts);
    swap_configs(changes, count);
    for (size_t i = 0; i < count; i++) { /* what declare_connect() has found is the new one's */
        struct child *child = changes[i].child;
        sidecar_bind(core, child);
        child->group = supervisor_group(child->member.supervisor, child->config->declaration.group);
    }
    return r;
}

/* The newer declaration with the keys of the process of the older one. */
static struct child_declaration with_old_process(const struct child_declaration *newer,
                                                 const struct child_declaration *older)
{
    struct child_declaration mixed = *newer;

    mixed.has_process = older->has_process;
    mixed.leftovers = older->leftovers;
    mixed.process = older->process;
    mixed.process.health = newer->process.health;
    mixed.process.kill_group = newer->process.kill_group;
    mixed.process.stop_signal = newer->process.stop_signal;
    mixed.process.reload_signal = newer->process.reload_signal;
    mixed.process.reload = newer->process.reload;
    mixed.process.stop = newer->process.stop;
    mixed.process.after_stop = newer->process.after_stop;
    return mixed;
}

/* Everything that can fail, before anything is changed. */
static int make_configs(struct core *core, struct change *change,
                        const struct child_declaration *declaration)
{
    const struct child *child = change->child;
    const struct child_declaration *present = &child->config->declaration;
    uint64_t keys;

    int r = declaration_compare(&core->ports, newest(child), declaration, &change->said);
    keys = change->said;
    if (r == 0 && child->next_config)
        r = declaration_compare(&core->ports, present, declaration, &keys);
    if (r == 0 && child->attempt.active && touches_process(keys)) {
        struct child_declaration mixed = with_old_process(declaration, present);
        change->next = config_new(core, declaration);
        change->config = config_new(core, &mixed);
        return change->next && change->config ? 0 : -ENOMEM;
    }
    change->config = r == 0 ? config_new(core, declaration) : NULL;
    return change->config ? 0 : -ENOMEM;
}

/* All declarations of a reload are checked together, as one may require what
 * another adds. */
static int prepare_changes(struct core *core, struct change *changes,
                           const struct child_declaration *declarations, size_t count,
                           const struct plan_visitor *starts, struct declaration_problem *problem)
{
    for (size_t i = 0; i < count; i++) {
        struct child *child = changes[i].child = core_find(core, declarations[i].id);
        if (!child || child->job) {
            declare_problem(problem, i, -1, child ? "a job runs once: \"" : "no child is called \"",
                            declarations[i].id, "\"");
            return child ? -EINVAL : -ENOENT;
        }
        if (make_configs(core, &changes[i], &declarations[i]) < 0)
            return -ENOMEM;
    }
    return check_changes(core, changes, count, starts, problem);
}

/* The old configuration is freed by adopt_config(): a question that the
 * executor still holds would point into it. */
static void put_into_force(struct core *core, struct change *change)
{
    struct child *child = change->child;

    registry_release(core, child->next_config);
    child->next_config = change->next;
    if (change->said & KEY_BIT(KEY_HEALTH_CHECK))
        health_withdraw(core, child); /* the question is in the memory that goes */
    adopt_config(core, child, change->config);
}

static void apply_change(struct core *core, const struct change *change, uint64_t id,
                         const char *requester, const char *reason)
{
    struct child *child = change->child;

    if (change->said != 0 || change->restarts)
        declare_announce(core, child, id, requester, reason);
    apply_keys(core, child, change->said);
}

/* A child that is already being restarted takes the new declaration anyway. */
static bool is_restarted(const struct core *core, const struct child *child, enum redeclare_how how)
{
    switch (how) {
    case REDECLARE_WAITS:
        return false;
    case REDECLARE_APPLIES:
        return child->next_config && !child->pending.active &&
               may_restart(core, child, &child->config->declaration);
    case REDECLARE_RESTARTS:
        return child->attempt.active && child->operation == CHILD_ACTIVE && !child->pending.active;
    }
    __builtin_unreachable();
}

/* Each once, and in order. */
static void restart_changed(struct core *core, const struct change *changes, size_t count,
                            uint64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (changes[i].restarts)
            stop_order_name(core, changes[i].child);
    for (size_t i = 0; i < count; i++)
        if (changes[i].restarts && !changes[i].child->pending.active)
            fence_enter(core, changes[i].child, id, false, "reload");
    stop_order_settle(core);
}

/* Which children are to be restarted is known before anything happens to any of them. */
static void apply_changes(struct core *core, struct change *changes, size_t count,
                          enum redeclare_how how, const char *requester, const char *reason)
{
    bool restarts = false, changed = false;
    uint64_t id;

    for (size_t i = 0; i < count; i++)
        put_into_force(core, &changes[i]);
    for (size_t i = 0; i < count; i++) {
        changes[i].restarts = is_restarted(core, changes[i].child, how);
        restarts = restarts || changes[i].restarts;
        changed = changed || changes[i].said != 0;
    }
    id = restarts || changed ? core_new_command(core) : 0;
    for (size_t i = 0; i < count; i++)
        apply_change(core, &changes[i], id, requester, reason);
    restart_changed(core, changes, count, id);
}

static void drop_changes(struct core *core, struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        registry_release(core, changes[i].config);
        registry_release(core, changes[i].next);
    }
}

static int check_phase(const struct core *core, struct declaration_problem *problem)
{
    bool down = core->shutdown_phase != SHUTDOWN_IDLE;

    declare_problem(problem, 0, -1, down ? "the tree is shutting down" : "out of memory", "", "");
    return down ? -ESHUTDOWN : 0;
}

/* The same as the change itself, up to the moment at which it would begin. */
int core_check_redeclare(struct core *core, const struct child_declaration *declarations,
                         size_t count, const struct plan_visitor *starts,
                         struct declaration_problem *problem)
{
    int r = check_phase(core, problem);
    struct change *changes =
        r == 0 ? registry_allocate(core, (count + 1) * sizeof(*changes)) : NULL;

    if (!changes)
        return r < 0 ? r : -ENOMEM;
    r = prepare_changes(core, changes, declarations, count, starts, problem);
    drop_changes(core, changes, count);
    registry_release(core, changes);
    return r;
}

/* All of them or none: nothing is touched before the last has been prepared. */
int redeclare_child(struct core *core, const struct child_declaration *declarations, size_t count,
                    enum redeclare_how how, const char *requester, const char *reason,
                    struct declaration_problem *problem)
{
    int r = check_phase(core, problem);
    struct change *changes =
        r == 0 ? registry_allocate(core, (count + 1) * sizeof(*changes)) : NULL;

    if (!changes)
        return r < 0 ? r : -ENOMEM;
    r = prepare_changes(core, changes, declarations, count, NULL, problem);
    if (r == 0)
        apply_changes(core, changes, count, how, requester, reason);
    else
        drop_changes(core, changes, count);
    registry_release(core, changes);
    return r;
}

/* Its settings only; its members have declarations of their own. A supervisor
 * that had nothing left, and was only kept until its last child is gone, is
 * wanted again. */
int redeclare_supervisor(struct core *core, const struct supervisor_declaration *declaration,
                         struct declaration_problem *problem)
{
    struct supervisor *supervisor = core_find_supervisor(core, declaration->path);
    struct supervisor_config *config;

    if (core->shutdown_phase != SHUTDOWN_IDLE) {
        declare_problem(problem, 0, -1, "the tree is shutting down", "", "");
        return -ESHUTDOWN;
    }
    if (!supervisor) {
        declare_problem(problem, 0, -1, "no supervisor is called \"", declaration->path, "\"");
        return -ENOENT;
    }
    config = supervisor_config_new(core, declaration);
    if (!config) {
        declare_problem(problem, 0, -1, "out of memory", "", "");
        return -ENOMEM;
    }
    supervisor->discarded = false;
    registry_release(core, supervisor_configure(core, supervisor, config));
    return 0;
}
