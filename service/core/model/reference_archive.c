/*
 * Pointers in a checkpoint: a child is its slot, a supervisor its number in the
 * order of declaration. A number that names nothing is damage.
 */
#include "core/model/reference_archive.h"

#include "core/model/archive.h"
#include "core/model/config.h"
#include "core/model/supervisor.h"
#include "core/private.h"
#include "core/vocabulary/invariant.h"

#define NOTHING UINT32_MAX

/* Only children that have been read already can be named, so the lists that
 * name them come at the end of a checkpoint. */
void reference_archive_child(struct core *core, struct archive *a, struct child **child)
{
    uint32_t slot = *child ? (*child)->slot : NOTHING;

    ARCHIVE(a, slot);
    if (!a->reading)
        return;
    *child = !a->failed && slot < core->n_slots ? core->slots[slot] : NULL;
    if (slot != NOTHING && !*child)
        a->failed = true;
}

uint32_t reference_supervisor_number(const struct core *core, const struct supervisor *wanted)
{
    uint32_t number = 0;

    for (const struct supervisor *s = &core->root; s && s != wanted; s = s->next)
        number++;
    return number;
}

static struct supervisor *supervisor_of(struct core *core, uint32_t number)
{
    struct supervisor *supervisor = &core->root;

    while (supervisor && number-- > 0)
        supervisor = supervisor->next;
    return supervisor;
}

/* A scope is that of a supervisor, or of its group number `group` - 1. */
void reference_archive_scope(struct core *core, struct archive *a, struct scope **scope)
{
    bool there = *scope != NULL;
    uint32_t number = 0, group = 0;

    if (there && !a->reading) {
        const struct supervisor *supervisor = (*scope)->supervisor;
        number = reference_supervisor_number(core, supervisor);
        for (size_t i = 0; i < supervisor->config->declaration.n_groups; i++)
            if (*scope == &supervisor->config->groups[i].scope)
                group = (uint32_t)i + 1;
    }
    ARCHIVE(a, there);
    ARCHIVE(a, number);
    ARCHIVE(a, group);
    if (!a->reading)
        return;
    *scope = NULL;
    struct supervisor *supervisor = there && !a->failed ? supervisor_of(core, number) : NULL;
    if (there && (!supervisor || group > supervisor->config->declaration.n_groups))
        a->failed = true;
    else if (there)
        *scope = group > 0 ? &supervisor->config->groups[group - 1].scope : &supervisor->scope;
}
