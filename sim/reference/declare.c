/*
 * Declaring children and starting those that start by themselves.
 */
#include "reference/declare.h"

#include "core/vocabulary/invariant.h"
#include "reference/dependency.h"
#include "reference/schedule.h"
#include "reference/start.h"
#include "reference/tree.h"
#include "reference/wake.h"

#include <string.h>

/* A child that exists, and does nothing yet. */
struct ref_child *reference_declare(struct ref *r, const struct child_declaration *d,
                                    uint64_t *exits)
{
    INVARIANT(d->id && d->id[0]);
    if (r->count == r->capacity)
        return NULL;
    struct ref_child *c = &r->children[r->count++];
    *c = (struct ref_child){.declaration = d,
                            .process = d,
                            .id = d->id,
                            .here = true,
                            .exits = exits,
                            .operation_by = "",
                            .operation_reason = "",
                            .failure_reason = "",
                            .status_text = "",
                            .how = {.reason = ""},
                            .row = {.reason = ""}};
    ref_place(r, c);
    return c;
}

/* It continues from the highest that its id ever had: all that were declared are still there. */
static void remember(struct ref *r, struct ref_child *c)
{
    for (const struct ref_child *old = r->children; old < c; old++) {
        if (strcmp(old->id, c->id) != 0)
            continue;
        c->has_past = c->has_past || old->born;
        c->generation = old->generation > c->generation ? old->generation : c->generation;
        c->token = old->token > c->token ? old->token : c->token;
    }
}

void reference_tried(struct ref *r, const char *command, const char *by, const char *reason)
{
    INVARIANT(command && by && reason);
    TELL(r, NULL, EVENT_COMMAND_ACCEPTED, FIELD_TEXT_OF("command", command),
         FIELD_TEXT_OF("by", by), FIELD_TEXT_OF("reason", reason), FIELD_FLAG_OF("dry_run", true));
    ref_tell_cause(r, 0);
}

/* The set is complete: all are announced before the first one starts, since
 * each may depend on another. */
void reference_declared(struct ref *r, uint32_t first, const char *by, const char *reason)
{
    for (uint32_t i = first; i < r->count; i++)
        remember(r, &r->children[i]);
    r->next_command++;
    for (uint32_t i = first; i < r->count; i++)
        TELL(r, &r->children[i], EVENT_CHILD_ADDED, FIELD_TEXT_OF("by", by),
             FIELD_TEXT_OF("reason", reason));
    for (uint32_t i = first; i < r->count; i++)
        r->children[i].wanted =
            r->children[i].declaration->autostart && r->children[i].process->has_process;
    for (uint32_t i = first; i < r->count; i++)
        r->children[i].named_to_start = r->children[i].wanted;
    for (int around = 1; around >= 0; around--) /* one that goes around another comes before it */
        for (uint32_t i = first; i < r->count; i++)
            if (r->children[i].wanted && ref_goes_around(&r->children[i]) == around)
                ref_start_or_wait(r, &r->children[i], false);
    for (uint32_t i = first; i < r->count; i++)
        if (r->children[i].declaration->schedule)
            ref_plan_run(r, &r->children[i]);
    ref_wake(r);
}
