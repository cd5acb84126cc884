/*
 * A supervisor whose limit is used up. It gives its failure to the supervisor
 * above, which restarts it like a member of its own and counts one failure;
 * that may use up its limit too, and so on to the root, above which only the
 * end of the tree is left. The loop goes up level by level, since a recursion
 * would call back into the strategies.
 */
#include "core/rules/escalation.h"

#include "core/model/child_change.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/restart_limit.h"
#include "core/model/stop_order.h"
#include "core/model/supervisor.h"
#include "core/model/supervisor_change.h"
#include "core/private.h"
#include "core/rules/restart.h"
#include "core/rules/shutdown.h"
#include "core/rules/stop.h"
#include "core/rules/strategy.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/text.h"
#include "core/vocabulary/vocabulary.h"

/* What is restarted begins with a clean record: its limits were used up by a
 * fault that the restart is meant to cure. */
static void clear_limits(struct core *core, struct supervisor *supervisor)
{
    for (struct member *member = &supervisor->member;; member = member->next) {
        struct supervisor *below = member_supervisor(member);
        if (below && restart_limit_clear(&below->limit, core_realtime(core)))
            core_changed_supervisor(core, below);
        if (member == supervisor->tail)
            return;
    }
}

static bool is_quarantined_with(const struct child *child)
{
    return child->operation < CHILD_QUARANTINED && !child->job;
}

/* All are named before the first is stopped, so that those that others depend
 * on go last. */
static void quarantine_scope(struct core *core, struct supervisor *supervisor, const char *why)
{
    for (struct child *child = supervisor_first(supervisor); child;
         child = supervisor_next(supervisor, child))
        if (is_quarantined_with(child))
            stop_order_name(core, child);
    for (struct child *child = supervisor_last(supervisor); child;
         child = supervisor_previous(supervisor, child)) {
        if (!is_quarantined_with(child))
            continue;
        restart_quarantine(core, child, why);
        child_withdraw_starts(core, child, 0, "policy");
        stop_order_go(core, child, 0, "policy");
    }
}

/* The meltdown is announced even if nothing follows from it at once: it is the
 * moment an operator looks for. */
static void announce(struct core *core, struct supervisor *supervisor, struct child *child,
                     const char *why)
{
    struct restart_limit_view limit = supervisor_window(core, supervisor);

    EMIT(core, EVENT_MELTDOWN, child, 0, FIELD_TEXT_OF("supervisor", supervisor->path),
         FIELD_TEXT_OF("why", why), FIELD_NUMBER_OF("used", limit.used),
         FIELD_NUMBER_OF("burst", limit.burst),
         FIELD_TEXT_OF("escalation", escalation_to_string(supervisor_escalation(supervisor))));
    supervisor->melted_down = true;
    core_changed_supervisor(core, supervisor);
}

/* The child at the bottom, whose exit began it, waits for its backoff; the
 * others of the scope wait for it. A temporary child is not restarted, but its
 * siblings are. */
static void restart(struct core *core, struct supervisor *supervisor, struct child *child)
{
    bool comes_back = child->config->declaration.restart != RESTART_TEMPORARY;

    child->wanted = comes_back;
    if (child->gave_up && restart_limit_clear(&child->restart_limit, core_realtime(core))) {
        child_disarm(core, child, TIMER_WINDOW);
        restart_tell_limit(core, child, "escalated");
    }
    child->gave_up = false;
    clear_limits(core, supervisor);
    if (comes_back)
        restart_back_off(core, child);
    bool with_others = strategy_restart_supervisor(core, supervisor, comes_back ? child : NULL);
    if (comes_back)
        restart_after_backoff(core, child, with_others);
}

/* The status of each child that is held for it shows this, even if nothing was wrong with the
 * child. */
static void describe(char buffer[FAILURE_REASON_MAX], const struct supervisor *supervisor,
                     const struct child *child)
{
    struct text text = text_in(buffer, FAILURE_REASON_MAX);

    text_append(&text, "the restart limit of ");
    text_append(&text, supervisor->path[0] ? supervisor->path : "the root");
    text_append(&text, " is used up, last by ");
    text_append(&text, child->id);
}

void escalation_limit_used_up(struct core *core, struct child *child)
{
    char why[FAILURE_REASON_MAX];

    describe(why, child->member.supervisor, child);
    escalation_melt_down(core, child->member.supervisor, child, why);
}

/* Climbs until a supervisor has room for one more failure, or says that it ends
 * otherwise. The reason grows on the way: at the top it names the path that the
 * failure has taken. */
void escalation_melt_down(struct core *core, struct supervisor *supervisor, struct child *child,
                          const char *why)
{
    char buffer[FAILURE_REASON_MAX];

    for (;;) {
        struct supervisor *parent = supervisor->member.supervisor;

        announce(core, supervisor, child, why);
        switch (supervisor_escalation(supervisor)) {
        case ESCALATION_QUARANTINE_SCOPE:
            clear_limits(core, supervisor);
            quarantine_scope(core, supervisor, why);
            return;
        case ESCALATION_SHUTDOWN_TREE:
            escalation_shut_down(core, child, why, SHUTDOWN_BY_POLICY);
            return;
        case ESCALATION_PARENT:
            break;
        }
        if (!parent) {
            escalation_shut_down(core, child, why, SHUTDOWN_BY_POLICY);
            return;
        }
        EMIT(core, EVENT_ESCALATED, child, 0, FIELD_TEXT_OF("from", supervisor->path),
             FIELD_TEXT_OF("to", parent->path), FIELD_TEXT_OF("why", why));
        if (supervisor_count_below(core, parent)) {
            restart(core, supervisor, child);
            return;
        }
        supervisor = parent;
        describe(buffer, supervisor, child);
        why = buffer;
    }
}

void escalation_shut_down(struct core *core, struct child *child, const char *why, int exit_code)
{
    EMIT(core, EVENT_ESCALATED, child, 0, FIELD_TEXT_OF("to", "shutdown-tree"),
         FIELD_TEXT_OF("why", why));
    shutdown_begin_by_policy(core, why, exit_code);
}
