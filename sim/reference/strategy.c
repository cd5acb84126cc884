/*
 * Restarting together: which siblings share the fate of one that failed.
 */
#include "reference/strategy.h"

#include "reference/stop.h"
#include "reference/stop_order.h"
#include "reference/tree.h"

static bool is_down_for_good(const struct ref_child *c, uint32_t scope)
{
    return !c->attempt.active &&
           (c->operation != CHILD_ACTIVE || c->declaration->restart == RESTART_TEMPORARY ||
            c->scope == scope ||
            (c->waits == 0 && c->queued == 0 && c->scope == 0 &&
             (c->deadline[REF_START] == 0 || c->gave_up)));
}

/* One sibling is stopped, to start again with the others. */
static void bring_in(struct ref *r, struct ref_child *c, uint32_t scope)
{
    c->scope = scope;
    if (c->attempt.active && c->fence == FENCE_READY_TO_START) {
        ref_tell_withdrawn(r, c, "policy");
        c->pending = c->pending_by_resume =
            false; /* the target is on its way: it is the old one now */
        c->fence = FENCE_OPEN;
    }
    if (c->operation != CHILD_ACTIVE || c->declaration->restart == RESTART_TEMPORARY) {
        ref_go(r, c, false, "policy");
    } else if (c->pending) {
        c->duplicates++;
        c->pending_by_resume = false;
        TELL(r, c, EVENT_CHILD_RESTART_CONFLICT, FIELD_TEXT_OF("decision", "already-pending"),
             FIELD_TEXT_OF("command", "policy"),
             FIELD_NUMBER_OF("target_generation", c->pending_target));
        ref_insist(r, c);
    } else if (c->attempt.active) {
        ref_enter_fence(r, c, false, false, "policy");
    }
    if (c->attempt.active)
        return;
    ref_disarm(c, REF_START);
    c->waits = c->queued = 0;
    if (!c->pending)
        ref_wait_for_siblings(r, c, false, "policy");
}

static bool shares_the_fate(struct ref *r, const struct ref_child *c, const struct fate *f)
{
    if (!c->here || c->is_job || !ref_is_below(r, c->supervisor, f->at))
        return false;
    uint64_t member = ref_member_under(r, c, f->at);
    if ((c->supervisor == f->at ? c->group : -1) != f->group)
        return false;
    if (f->strategy == STRATEGY_ONE_FOR_ONE)
        return member == f->member;
    return f->strategy == STRATEGY_ONE_FOR_ALL || member >= f->member;
}

/* If a wider common restart is under way, this one becomes part of it. */
static uint32_t widest_scope(struct ref *r, const struct fate *f)
{
    uint32_t scope = ref_scope_number(f->at, f->group);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct ref_child *c = &r->children[i];
        if (shares_the_fate(r, c, f) && c->scope > 0 &&
            ref_depth(r, ref_scope_supervisor(c->scope)) <
                ref_depth(r, ref_scope_supervisor(scope)))
            scope = c->scope;
    }
    return scope;
}

/* Returns whether there are others; if not, the child restarts alone. */
bool ref_restart_together(struct ref *r, const struct fate *f, struct ref_child *failed)
{
    uint32_t scope = widest_scope(r, f);
    bool others = false;
    for (uint32_t i = 0; i < r->count; i++)
        if (shares_the_fate(r, &r->children[i], f))
            ref_name(&r->children[i]);
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = r->order[i];
        if (c == failed || !shares_the_fate(r, c, f))
            continue;
        if (!is_down_for_good(c, scope))
            bring_in(r, c, scope);
        others = others || c->scope > 0;
    }
    ref_spare_the_rest(r);
    if (!others)
        return false;
    ref_begin_scope(r, scope);
    if (failed) {
        failed->scope = scope;
        ref_wait_for_siblings(r, failed, false, "policy");
    }
    return true;
}

bool ref_restart_scope(struct ref *r, struct ref_child *c)
{
    const struct supervisor_declaration *d = r->supervisors[c->supervisor].declaration;
    struct fate f = {.at = c->supervisor,
                     .member = c->member,
                     .group = c->group,
                     .strategy = c->group >= 0 ? d->groups[c->group].strategy : d->strategy};
    return c->declaration->role != ROLE_SIDECAR && ref_restart_together(r, &f, c);
}
