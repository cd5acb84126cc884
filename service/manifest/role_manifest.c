/*
 * Roles in a manifest: what a kind of child asks for, and which settings contradict it. A setting
 * that the kind would quietly overrule is refused instead, with the reason.
 */
#include "manifest/reader.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <string.h>

/* The place of a setting that is refused, for the error; the path names its key. */
static const struct node *enter(struct reader *reader, const struct node *node, const char *key)
{
    const struct node *value = node_find(node, key);

    if (value)
        reader_enter(reader, key);
    return value;
}

/* The primary comes first: the core takes it from there. */
static int put_primary_first(struct reader *reader, const char *primary,
                             struct child_declaration *declaration)
{
    size_t n = declaration->n_requires;
    const char **requires;

    if (n == DEPENDENCIES_MAX)
        return reader_refuse(reader, NULL, "requires: has %zu entries, with the primary at most %d",
                             n, DEPENDENCIES_MAX);
    requires = arena_allocate(reader->arena, (n + 2) * sizeof(*requires));
    if (!requires)
        return -ENOMEM;
    requires[0] = primary;
    if (n > 0)
        memcpy(requires + 1, declaration->requires, n * sizeof(*requires));
    declaration->requires = requires;
    declaration->n_requires = n + 1;
    return 0;
}

/* The primary is a requirement, too: it comes first in the list. */
static int apply_sidecar(struct reader *reader, const struct node *node,
                         struct child_declaration *declaration)
{
    const struct node *primary = node_find(node, "primary"), *culprit;
    const char *id;

    if (!primary)
        return reader_refuse(reader, node, "primary is missing: a sidecar is bound to one child");
    if ((culprit = enter(reader, node, "restart")))
        return reader_refuse(reader, culprit,
                             "a sidecar follows its primary, and cannot have a policy of its own");
    if (declaration->criticality == CRITICALITY_CRITICAL &&
        (culprit = enter(reader, node, "criticality")))
        return reader_refuse(reader, culprit,
                             "a sidecar does not affect its primary: it cannot be critical");
    if ((declaration->on_limit == ON_LIMIT_ESCALATE ||
         declaration->on_limit == ON_LIMIT_SHUTDOWN_TREE) &&
        (culprit = enter(reader, node, "restart_limit")))
        return reader_refuse(reader, culprit,
                             "on_limit: a sidecar does not affect its primary: expected "
                             "quarantine, cool-down or stop");
    int r = reader_text(reader, primary, &id);
    return r < 0 ? r : put_primary_first(reader, id, declaration);
}

/* What its end does to the tree: only where there is such an end. */
static int look_at_end(struct reader *reader, const struct node *node,
                       const struct child_declaration *declaration)
{
    const struct node *culprit;
    const char *key = declaration->on_success != ON_END_NOTHING   ? "on_success"
                      : declaration->on_give_up != ON_END_NOTHING ? "on_give_up"
                                                                  : NULL;

    if (!key)
        return 0;
    if (declaration->role == ROLE_SIDECAR && (culprit = enter(reader, node, key)))
        return reader_refuse(reader, culprit,
                             "a sidecar does not affect its primary: its end cannot end the tree");
    if (declaration->restart == RESTART_PERMANENT && declaration->on_success != ON_END_NOTHING &&
        (culprit = enter(reader, node, "on_success")))
        return reader_refuse(reader, culprit,
                             "a child with restart: permanent is restarted after a success: "
                             "expected restart: transient or temporary");
    return 0;
}

/* One that would never be asked would never be ready. */
static int look_at_readiness(struct reader *reader, const struct node *node,
                             const struct child_declaration *declaration)
{
    const struct node *culprit;

    if (declaration->readiness != READINESS_CHECK || declaration->health_usec > 0)
        return 0;
    culprit = enter(reader, node, "readiness");
    return reader_refuse(reader, culprit,
                         "check: there is no health_check, so it would never be ready");
}

/* Contradictions are errors with the place of the key. */
/* It is ready by its end: nothing comes after its start but that. */
static int look_at_after_start(struct reader *reader, const struct node *node,
                               const struct child_declaration *declaration)
{
    const struct node *culprit;

    if (!declaration_is_ready_by_exit(declaration) || declaration->process.after_start.count == 0 ||
        !(culprit = enter(reader, node, "after_start")))
        return 0;
    return reader_refuse(reader, culprit,
                         "a child with readiness: exit is ready by its end: expected after_stop");
}

int manifest_apply_role(struct reader *reader, const struct node *node,
                        struct child_declaration *declaration)
{
    INVARIANT(declaration);
    const struct node *culprit;
    int r = look_at_readiness(reader, node, declaration);

    if (r < 0)
        return r;
    r = look_at_end(reader, node, declaration);
    if (r < 0)
        return r;
    r = look_at_after_start(reader, node, declaration);
    if (r < 0)
        return r;
    if (declaration->role == ROLE_SIDECAR)
        return apply_sidecar(reader, node, declaration);
    if ((culprit = enter(reader, node, "primary")))
        return reader_refuse(reader, culprit, "only a child with kind: sidecar has a primary");
    if ((culprit = enter(reader, node, "order")))
        return reader_refuse(reader, culprit, "only a child with kind: sidecar has an order");
    if (declaration->role == ROLE_JOB && declaration->process.fd_store_max > 0 &&
        (culprit = enter(reader, node, "fd_store_max")))
        return reader_refuse(reader, culprit,
                             "a job runs once: there is no next start to keep for");
    if (declaration->role == ROLE_JOB && declaration->restart == RESTART_PERMANENT &&
        (culprit = enter(reader, node, "restart")))
        return reader_refuse(reader, culprit,
                             "a job ends when it succeeds: expected transient or "
                             "temporary, or kind: worker");
    if (declaration->schedule && declaration->role != ROLE_JOB &&
        (culprit = enter(reader, node, "schedule")))
        return reader_refuse(reader, culprit,
                             "only a child with kind: job, which ends, has a schedule");
    if (declaration->schedule && (culprit = enter(reader, node, "autostart")))
        return reader_refuse(reader, culprit, "a child with a schedule is started by its schedule");
    if (declaration->schedule)
        declaration->autostart = false;
    if (declaration->readiness == READINESS_JOB && node_find(node, "start_timeout"))
        declaration->readiness = READINESS_EXIT; /* it is meant for its work */
    if (declaration->role == ROLE_SERVICE && declaration->restart == RESTART_TEMPORARY &&
        (culprit = enter(reader, node, "restart")))
        return reader_refuse(
            reader, culprit,
            "a service is meant to keep running: expected permanent or transient, or "
            "kind: worker");
    return 0;
}
