/*
 * Limits of failures: of a child, a group and a supervisor, and what happens
 * when one is exceeded.
 */
#include "reference/limit.h"

#include "reference/attempt.h"
#include "reference/backoff.h"
#include "reference/shutdown.h"
#include "reference/start.h"
#include "reference/stop.h"
#include "reference/stop_order.h"
#include "reference/strategy.h"
#include "reference/words.h"
#include "reference/tree.h"

#include <string.h>

/* One more in a window that keeps burst + 1; returns whether a restart is still allowed. */
static bool count(struct ref *r, uint64_t *exits, uint32_t *used, uint64_t *updated, uint32_t burst,
                  uint64_t interval)
{
    uint32_t kept = ref_kept(exits, *used, r->now, interval);
    memmove(exits, exits + *used - kept, kept * sizeof(*exits));
    if (kept != *used)
        ref_touch(r, updated);
    ref_touch(r, updated);
    if (kept == burst + 1)
        memmove(exits, exits + 1, --kept * sizeof(*exits));
    exits[kept++] = r->now;
    *used = kept;
    return kept <= burst;
}

static bool count_in_supervisor(struct ref *r, uint32_t s)
{
    struct ref_supervisor *supervisor = &r->supervisors[s];
    const struct supervisor_declaration *d = supervisor->declaration;
    return count(r, supervisor->exits, &supervisor->used, &supervisor->limit_updated, d->burst,
                 d->interval_usec);
}

/* A child in a group counts there and nowhere else; an optional child does not
 * count in its supervisor. */
enum exit_decision ref_count_failure(struct ref *r, struct ref_child *c)
{
    if (c->group >= 0) {
        struct ref_group *group = &r->supervisors[c->supervisor].groups[c->group];
        const struct group_declaration *d = group->declaration;
        return !d->limited || count(r, group->exits, &group->used, &group->limit_updated, d->burst,
                                    d->interval_usec)
                   ? DECISION_RESTART
                   : DECISION_FUSE;
    }
    if (c->declaration->criticality == CRITICALITY_OPTIONAL)
        return DECISION_RESTART;
    if (!r->supervisors[c->supervisor].declaration->limited)
        return DECISION_RESTART;
    return count_in_supervisor(r, c->supervisor) ? DECISION_RESTART : DECISION_MELTDOWN;
}

/* A bucket that leaks: how long until what is in it fits. */
uint64_t ref_budget(struct ref *r, struct ref_child *c)
{
    if (c->group < 0)
        return 0;
    struct ref_group *group = &r->supervisors[c->supervisor].groups[c->group];
    const struct group_declaration *d = group->declaration;
    if (d->budget_restarts == 0)
        return 0;
    uint64_t passed = r->now - group->since;
    group->level =
        (group->level > passed ? group->level - passed : 0) + d->budget_usec / d->budget_restarts;
    group->since = r->now;
    return group->level > d->budget_usec ? group->level - d->budget_usec : 0;
}

static void clear_limits(struct ref *r, uint32_t s)
{
    for (uint32_t i = 0; i < r->n_supervisors; i++)
        if (ref_is_below(r, i, s)) {
            if (r->supervisors[i].used > 0)
                ref_touch(r, &r->supervisors[i].limit_updated);
            r->supervisors[i].used = 0;
        }
}

static bool is_quarantined_with(struct ref *r, const struct ref_child *c, uint32_t s)
{
    return ref_is_under(r, c, s) && !c->is_job && c->operation < CHILD_QUARANTINED;
}

/* Everything below the supervisor is held. */
static void quarantine_scope(struct ref *r, uint32_t s, const char *why)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (is_quarantined_with(r, &r->children[i], s))
            ref_name(&r->children[i]);
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = r->order[i];
        if (!is_quarantined_with(r, c, s))
            continue;
        ref_set_operation(r, c, CHILD_QUARANTINED, NULL, why);
        TELL(r, c, EVENT_CHILD_QUARANTINED, FIELD_TEXT_OF("why", why));
        ref_withdraw_starts(r, c, "policy");
        ref_go(r, c, false, "policy");
    }
}

/* Its children start together, with their failures forgotten, and count as one
 * restart of the supervisor above. */
static void restart_supervisor(struct ref *r, uint32_t s, struct ref_child *c)
{
    uint32_t above = r->supervisors[s].above;
    struct fate f = {.at = above,
                     .member = r->supervisors[s].member,
                     .group = -1,
                     .strategy = r->supervisors[above].declaration->strategy};
    bool comes_back = c->declaration->restart != RESTART_TEMPORARY;
    c->wanted = comes_back;
    if (c->gave_up && c->used > 0) {
        c->used = 0;
        ref_touch(r, &c->limit_updated);
        ref_disarm(c, REF_WINDOW);
        ref_tell_limit(r, c, "escalated");
    }
    c->gave_up = false;
    clear_limits(r, s);
    uint64_t delay = comes_back ? ref_back_off(r, c) : 0;
    bool with_others = ref_restart_together(r, &f, comes_back ? c : NULL);
    if (comes_back && !with_others && delay == 0)
        ref_start_or_wait(r, c, true);
}

/* Also where its own children are not counted: the meltdowns below it are. */
static uint32_t used_of(const struct ref *r, const struct ref_supervisor *s)
{
    return ref_kept(s->exits, s->used, r->now, s->declaration->interval_usec);
}

/* The supervisor has given up: the failure goes up, is contained, or ends
 * everything. */
void ref_melt_down(struct ref *r, uint32_t s, struct ref_child *c, const char *why)
{
    enum escalation escalation = r->supervisors[s].declaration->escalation;
    const char *path = r->supervisors[s].declaration->path;
    bool up = escalation == ESCALATION_PARENT && s != 0;
    r->supervisors[s].melted_down = true;
    TELL(r, c, EVENT_MELTDOWN, FIELD_TEXT_OF("supervisor", path), FIELD_TEXT_OF("why", why),
         FIELD_NUMBER_OF("used", used_of(r, &r->supervisors[s])),
         FIELD_NUMBER_OF("burst", r->supervisors[s].declaration->burst),
         FIELD_TEXT_OF("escalation", escalation_to_string(escalation)));
    if (up)
        TELL(r, c, EVENT_ESCALATED, FIELD_TEXT_OF("from", path),
             FIELD_TEXT_OF("to", r->supervisors[r->supervisors[s].above].declaration->path),
             FIELD_TEXT_OF("why", why));
    else if (escalation != ESCALATION_QUARANTINE_SCOPE)
        TELL(r, c, EVENT_ESCALATED, FIELD_TEXT_OF("to", "shutdown-tree"),
             FIELD_TEXT_OF("why", why));
    if (escalation == ESCALATION_QUARANTINE_SCOPE) {
        clear_limits(r, s);
        quarantine_scope(r, s, why);
    } else if (escalation == ESCALATION_SHUTDOWN_TREE || s == 0) {
        ref_shut_down(r, true, 0, "policy", why);
    } else if (count_in_supervisor(r, r->supervisors[s].above)) {
        restart_supervisor(r, s, c);
    } else {
        uint32_t above = r->supervisors[s].above;
        ref_melt_down(r, above, c, ref_meltdown_words(r, above, c));
    }
}
