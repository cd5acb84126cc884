/*
 * Requirements of a restart. A running child is not stopped for a start that
 * would then have to wait: that would turn a restart into an outage. Those that
 * are restarted together count as present (`comes_back`), which is judged for
 * all of them before the first is stopped.
 */
#include "core/rules/requirement.h"

#include "core/model/declaration.h"
#include "core/model/members.h"
#include "core/model/supervisor.h"
#include "core/private.h"
#include "core/rules/dependency.h"
#include "core/vocabulary/text.h"
#include "core/vocabulary/vocabulary.h"

/* The first requirement that stands in the way, in the order of the manifest,
 * or NULL. */
static const char *lacking_in(const struct core *core, const struct child_declaration *declaration,
                              bool *removed)
{
    *removed = false;
    for (size_t i = 0; i < declaration->n_requires; i++) {
        struct child *target = core_find(core, declaration->requires[i]);
        if (target && (target->comes_back || dependency_comes_back(target)))
            continue;
        if (dependency_is_met(declaration, target))
            continue;
        *removed = !target;
        return declaration->requires[i];
    }
    return NULL;
}

const char *requirement_lacking(const struct core *core, const struct child *child, bool *removed)
{
    const struct child_config *config = child->next_config ? child->next_config : child->config;

    return lacking_in(core, &config->declaration, removed);
}

bool requirement_lacks(const struct core *core, const struct child_declaration *declaration)
{
    bool removed;

    return lacking_in(core, declaration, &removed) != NULL;
}

/* The same as a sentence for the caller. */
bool requirement_refuses(const struct core *core, const struct child *child, char *buffer,
                         size_t size)
{
    bool removed;
    const char *id = requirement_lacking(core, child, &removed);
    struct text text = text_in(buffer, size);

    if (!id)
        return false;
    text_append(&text, "it requires ");
    text_append(&text, id);
    text_append(&text, removed ? ", which was removed" : ", which is not ready");
    return true;
}

static bool is_meant(const struct child *child, enum command_verb verb)
{
    if (child->job || !child->config->declaration.has_process)
        return false;
    if (verb == COMMAND_RESUME)
        return child->operation != CHILD_REMOVED && child->wanted;
    return verb == COMMAND_RESTART && child->operation == CHILD_ACTIVE;
}

void requirement_judge_scope(struct core *core, const struct supervisor *supervisor,
                             enum command_verb verb)
{
    for (struct child *child = supervisor_first(supervisor); child;
         child = supervisor_next(supervisor, child))
        if (is_meant(child, verb))
            requirement_expect(child);
    requirement_judge(core);
}

void requirement_expect(struct child *child)
{
    child->comes_back = true;
}

/* Each pass takes out those that need one that the pass before has taken out: at most as many as
 * a chain of dependencies is long. */
void requirement_judge(struct core *core)
{
    for (bool again = true; again;) {
        again = false;
        for (struct child *child = core_first(core); child; child = core_next(child)) {
            bool removed;
            if (!child->comes_back || !requirement_lacking(core, child, &removed))
                continue;
            child->comes_back = false;
            again = true;
        }
    }
}

void requirement_forget(struct core *core)
{
    for (struct child *child = core_first(core); child; child = core_next(child))
        child->comes_back = false;
}
