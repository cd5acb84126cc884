/*
 * Adopting a declaration. The old configuration owns memory that the child
 * points into (its id, its ring of counted exits, its targets), so everything
 * that points there is moved in one place and in one order: first what counts
 * by the old one is undone, then the pointer changes, then it is counted again.
 * Nothing between the two halves can fail.
 */
#include "core/rules/adopt.h"

#include "core/model/config.h"
#include "core/model/declaration.h"
#include "core/model/members.h"
#include "core/model/present.h"
#include "core/model/registry.h"
#include "core/model/restart_limit.h"
#include "core/model/sidecar.h"
#include "core/model/stop_order.h"
#include "core/private.h"
#include "core/vocabulary/invariant.h"

/* The window moves into the new one's memory, with the newest exits that have room there. */
static void move_window(struct core *core, struct child *child, const struct child_config *config)
{
    const struct child_declaration *d = &config->declaration;

    if (d->burst != child->restart_limit.burst ||
        d->interval_usec != child->restart_limit.interval_usec)
        restart_limit_prune(&child->restart_limit, core_now(core), core_realtime(core));
    restart_limit_resize(&child->restart_limit, config->ring, d->burst, d->interval_usec,
                         core_realtime(core));
}

/* The old configuration is released at the end, after the last reader has
 * moved: child->id, child->name and the window's ring all lie in it. The caller
 * has checked the new one, so there is no way back and none is needed. */
void adopt_config(struct core *core, struct child *child, struct child_config *config)
{
    struct child_config *old = child->config;

    move_window(core, child, config);
    for (size_t i = 0; i < dependency_count(&old->declaration); i++)
        stop_order_repoint(core, child, old->targets[i], NULL, i);
    registry_forget_dependencies(core, child);
    child->config = config;
    registry_count_dependencies(core, child);
    child->id = config->declaration.id;
    child->name = last_segment(child->id);
    adopt_find_targets(core, child);
    for (size_t i = 0; i < dependency_count(&config->declaration); i++)
        stop_order_repoint(core, child, NULL, config->targets[i], i);
    sidecar_bind(core, child);
    registry_release(core, old);
    core_changed(core, child);
}

void adopt_attempt_ended(struct core *core, struct child *child)
{
    struct child_config *config = child->next_config;

    if (!config)
        return;
    INVARIANT(!core->muted);
    child->next_config = NULL;
    adopt_config(core, child, config);
}

void adopt_find_targets(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;

    child->group = supervisor_group(child->member.supervisor, declaration->group);
    for (size_t i = 0; i < dependency_count(declaration); i++) {
        child->config->targets[i] = core_find(core, dependency_id(declaration, i));
        core->may_miss = core->may_miss || !child->config->targets[i];
    }
}
