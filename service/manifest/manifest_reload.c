/*
 * Reload: the difference between the tree and what the files say now, reported, tried and applied.
 */
#include "manifest/manifest_set.h"
#include "core/vocabulary/invariant.h"

#include "core/model/child.h"
#include "core/model/members.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reload {
    const struct manifest_set *set;
    struct tree_declaration tree; /* the set's */
    struct core *core;
    const struct manifest_reload *what;
    struct child_declaration *added, *changed;
    size_t *added_index;
    size_t n_added, n_changed;
    struct supervisor_declaration *added_supervisors;
    size_t n_added_supervisors;
};

static int out_of_memory(struct error *error)
{
    snprintf(error->text, sizeof(error->text), "reload: out of memory");
    return -ENOMEM;
}

/* ---- what differs ---------------------------------------------------------------------------- */

static bool is_orphan(const struct reload *reload, const struct child *child)
{
    return child->config->declaration.manifest_path[0] != '\0' &&
           child->operation != CHILD_REMOVED && !manifest_set_has(reload->set, child->id);
}

static void say(const struct reload *reload, const char *what, const char *id)
{
    if (reload->what->visit)
        reload->what->visit(reload->what->userdata, what, id);
}

static bool is_changed(const struct supervisor *supervisor,
                       const struct supervisor_declaration *declaration)
{
    return supervisor->discarded ||
           !supervisor_declaration_is_same(&supervisor->config->declaration, declaration);
}

static bool says_of(const struct reload *reload, const char *path)
{
    for (size_t i = 0; i < reload->tree.n_supervisors; i++)
        if (strcmp(reload->tree.supervisors[i].path, path) == 0)
            return true;
    return false;
}

static bool is_orphan_supervisor(const struct reload *reload, const struct supervisor *supervisor)
{
    if (supervisor->path[0] == '\0' || supervisor->config->declaration.manifest_path[0] == '\0')
        return false;
    return !supervisor->discarded && !says_of(reload, supervisor->path);
}

static void count(const struct reload *reload, size_t *counter, const char *what, const char *id)
{
    ++*counter;
    say(reload, what, id);
}

static void say_supervisor(const struct reload *reload, size_t *counter, const char *what,
                           const char *path)
{
    char text[CHILD_ID_MAX + 16];

    snprintf(text, sizeof(text), "supervisor %s", path[0] ? path : "root");
    count(reload, counter, what, text);
}

/* What is new, what has changed, and what no file declares any more. */
static void survey_supervisors(struct reload *reload, struct manifest_changes *changes)
{
    for (size_t i = 0; i < reload->tree.n_supervisors; i++) {
        const struct supervisor_declaration *d = &reload->tree.supervisors[i];
        const struct supervisor *supervisor = core_find_supervisor(reload->core, d->path);
        if (!supervisor) {
            reload->added_supervisors[reload->n_added_supervisors++] = *d;
            say_supervisor(reload, &changes->added, "added", d->path);
        } else if (is_changed(supervisor, d)) {
            say_supervisor(reload, &changes->in_place, "in-place", d->path);
        }
    }
    for (const struct supervisor *s = core_first_supervisor(reload->core); s;
         s = core_next_supervisor(s))
        if (is_orphan_supervisor(reload, s))
            say_supervisor(reload, &changes->removed, "removed", s->path);
}

/* Their places among the children that are new. */
static void place_added_supervisors(struct reload *reload)
{
    for (size_t s = 0; s < reload->n_added_supervisors; s++) {
        size_t before = 0;
        while (before < reload->n_added &&
               reload->added_index[before] < reload->added_supervisors[s].position)
            before++;
        reload->added_supervisors[s].position = before;
    }
}

/* A declaration may stand in another file, or in another order, and be the same: nothing is
 * reported of that, but it is remembered. */
static bool stands_elsewhere(const struct core *core, const struct child_declaration *declaration)
{
    const struct child *child = core_find(core, declaration->id);
    const struct child_config *config = child->next_config ? child->next_config : child->config;

    return strcmp(config->declaration.manifest, declaration->manifest) != 0 ||
           strcmp(config->declaration.manifest_path, declaration->manifest_path) != 0;
}

/* A child that only stands elsewhere is unchanged, but its declaration names
 * the new place. */
static void survey_change(struct reload *reload, const struct child_declaration *declaration,
                          enum child_change change, struct manifest_changes *changes)
{
    size_t *const counters[] = {&changes->unchanged, &changes->in_place, &changes->pending,
                                &changes->restart};

    if (change != CHANGE_NONE || stands_elsewhere(reload->core, declaration))
        reload->changed[reload->n_changed++] = *declaration;
    if (change == CHANGE_NONE)
        changes->unchanged++;
    else
        count(reload, counters[change], child_change_to_string(change), declaration->id);
}

static bool is_leaving(const struct core *core, const char *id)
{
    const struct child *child = core_find(core, id);

    return child && child->operation == CHILD_REMOVED;
}

/* One that is being removed counts as added, and is declared when it has
 * gone. */
static int survey_child(struct reload *reload, size_t i, struct manifest_changes *changes)
{
    const struct child_declaration *declaration = &reload->tree.children[i];
    bool *awaited = &manifest_set_awaited(reload->set)[i];
    enum child_change change;

    *awaited = is_leaving(reload->core, declaration->id);
    if (*awaited) {
        changes->awaited++;
        count(reload, &changes->added, "added", declaration->id);
        return 0;
    }
    int r = core_change_of(reload->core, declaration, reload->what->restart, &change);

    if (r == 0) {
        survey_change(reload, declaration, change, changes);
    } else if (r == -ENOENT) {
        reload->added_index[reload->n_added] = i;
        reload->added[reload->n_added++] = *declaration;
        count(reload, &changes->added, "added", declaration->id);
    }
    return r == -ENOENT ? 0 : r;
}

/* Nothing is changed here. */
static int survey(struct reload *reload, struct manifest_changes *changes)
{
    size_t n = reload->tree.n_children + 1;
    int r = 0;

    *changes = (struct manifest_changes){};
    reload->added = calloc(n, sizeof(*reload->added));
    reload->changed = calloc(n, sizeof(*reload->changed));
    reload->added_index = calloc(n, sizeof(*reload->added_index));
    reload->added_supervisors =
        calloc(reload->tree.n_supervisors + 1, sizeof(*reload->added_supervisors));
    if (!reload->added || !reload->changed || !reload->added_index || !reload->added_supervisors)
        return -ENOMEM;

    survey_supervisors(reload, changes);
    for (size_t i = 0; r == 0 && i < reload->tree.n_children; i++)
        r = survey_child(reload, i, changes);
    place_added_supervisors(reload);
    for (struct child *child = core_first(reload->core); child; child = core_next(child))
        if (is_orphan(reload, child))
            count(reload, &changes->removed, "removed", child->id);
    return r;
}

/* ---- whether it can be applied --------------------------------------------------------------- */

static bool stays(const struct reload *reload, const char *id)
{
    struct child *child = core_find(reload->core, id);
    return manifest_set_has(reload->set, id) || (child && !is_orphan(reload, child));
}

/* What a child of the tree that is not in the set brings into the check: nothing it misses already.
 */
static struct child_declaration without_lost_dependencies(const struct reload *reload,
                                                          const struct child *child)
{
    struct child_declaration d = child->config->declaration;
    bool whole = true;

    for (size_t i = 0; i < d.n_requires + d.n_after; i++)
        whole = whole &&
                (child->config->targets[i] == NULL
                     ? false
                     : stays(reload, i < d.n_requires ? d.requires[i] : d.after[i - d.n_requires]));
    if (!whole)
        d.n_requires = d.n_after = 0;
    return d;
}

/* The supervisors of the tree that the set does not know: some may stay, for their members' sake.
 */
static size_t add_other_supervisors(const struct reload *reload, struct supervisor_declaration *all,
                                    size_t n)
{
    for (const struct supervisor *s = core_first_supervisor(reload->core); s;
         s = core_next_supervisor(s)) {
        if (s->path[0] == '\0' || says_of(reload, s->path))
            continue;
        all[n] = s->config->declaration;
        all[n++].position = 0;
    }
    return n;
}

/* The tree will be what the set says, and nothing else: that has been tried already. */
static bool is_alone(const struct reload *reload)
{
    if (!manifest_set_is_sound(reload->set))
        return false;
    for (const struct child *child = core_first(reload->core); child; child = core_next(child))
        if (!manifest_set_has(reload->set, child->id) && !is_orphan(reload, child))
            return false;
    for (const struct supervisor *s = core_first_supervisor(reload->core); s;
         s = core_next_supervisor(s))
        if (s->path[0] != '\0' && !says_of(reload, s->path))
            return false;
    return true;
}

/* Declares the tree as it will be in a core that does nothing: every mistake shows there first. */
static int rehearse(const struct reload *reload, struct error *error)
{
    const struct tree_declaration *tree = &reload->tree;
    size_t count = tree->n_children, n = tree->n_supervisors;
    struct child_declaration *all = calloc(count + core_count(reload->core) + 1, sizeof(*all));
    struct supervisor_declaration *supervisors =
        calloc(n + SUPERVISORS_MAX + 1, sizeof(*supervisors));
    int r = all && supervisors ? 0 : out_of_memory(error);

    if (r == 0) {
        memcpy(all, tree->children, count * sizeof(*all));
        memcpy(supervisors, tree->supervisors, n * sizeof(*supervisors));
        n = add_other_supervisors(reload, supervisors, n);
        for (struct child *child = core_first(reload->core); child; child = core_next(child))
            if (!manifest_set_has(reload->set, child->id) && !is_orphan(reload, child))
                all[count++] = without_lost_dependencies(reload, child);
        r = manifest_set_try(reload->set,
                             &(struct tree_declaration){.children = all,
                                                        .n_children = count,
                                                        .supervisors = supervisors,
                                                        .n_supervisors = n},
                             error);
    }
    free(all);
    free(supervisors);
    return r;
}

/* ---- applying it ----------------------------------------------------------------------------- */

/* Before the children, which may be declared below them. */
static int apply_supervisors(struct reload *reload, struct error *error)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < reload->tree.n_supervisors; i++) {
        const struct supervisor_declaration *d = &reload->tree.supervisors[i];
        const struct supervisor *supervisor = core_find_supervisor(reload->core, d->path);
        struct declaration_problem problem = {};
        if (!supervisor || !is_changed(supervisor, d))
            continue;
        r = core_redeclare_supervisor(reload->core, d, &problem);
        if (r < 0)
            *error = problem.error;
    }
    return r;
}

/* All at once, as they may depend on each other. */
static int apply_changed(struct reload *reload, struct error *error)
{
    enum redeclare_how how = reload->what->restart ? REDECLARE_APPLIES : REDECLARE_WAITS;
    struct declaration_problem problem = {};

    if (reload->n_changed == 0)
        return 0;
    int r = core_redeclare(reload->core, reload->changed, reload->n_changed, how,
                           reload->what->requester, reload->what->reason, &problem);
    if (r < 0)
        *error = problem.error;
    return r;
}

/* In one input, the last first: those that depend on others are to go before them. */
static int remove_orphans(struct reload *reload, struct error *error)
{
    struct supervisor *root = core_first_supervisor(reload->core);
    char *ids = NULL;
    size_t size = 0, count = 0;
    FILE *stream = open_memstream(&ids, &size);

    if (!stream)
        return out_of_memory(error);
    for (struct child *child = supervisor_last(root); child;
         child = supervisor_previous(root, child))
        if (is_orphan(reload, child)) {
            fprintf(stream, "%s\n", child->id);
            count++;
        }
    bool whole = !ferror(stream);
    whole = fclose(stream) == 0 && whole;
    if (whole && count > 0)
        core_remove(reload->core, ids, reload->what->requester, reload->what->reason);
    free(ids);
    return whole ? 0 : out_of_memory(error);
}

/* From the beginning again after each, as one may take others with it. */
static void remove_orphan_supervisors(struct reload *reload)
{
    for (struct supervisor *s = core_first_supervisor(reload->core); s;) {
        if (!is_orphan_supervisor(reload, s)) {
            s = core_next_supervisor(s);
            continue;
        }
        core_discard_supervisor(reload->core, s);
        s = core_first_supervisor(reload->core); /* it may have taken others with it */
    }
}

/* An error is reported with its place in the file. */
static int apply_added(struct reload *reload, struct error *error)
{
    struct tree_declaration tree = {.children = reload->added,
                                    .n_children = reload->n_added,
                                    .supervisors = reload->added_supervisors,
                                    .n_supervisors = reload->n_added_supervisors};
    struct declaration_problem problem = {};

    if (tree.n_children + tree.n_supervisors == 0)
        return 0;
    int r = core_declare_tree(reload->core, &tree, reload->what->requester, reload->what->reason,
                              &problem);
    if (r < 0 && !problem.of_supervisor) {
        problem.declaration = reload->added_index[problem.declaration];
        manifest_set_explain(reload->set, &problem, error);
    } else if (r < 0) {
        *error = problem.error;
    }
    return r;
}

/* ---- a dry run ------------------------------------------------------------------------------- */

static void say_start(void *userdata, const char *id)
{
    say(userdata, "WouldStart", id);
}

/* Each by itself: what they require is not there to be looked at yet. */
static void say_those_on_their_own(const struct reload *reload)
{
    for (size_t i = 0; i < reload->n_added; i++)
        if (reload->added[i].autostart && reload->added[i].has_process)
            say(reload, "WouldStart", reload->added[i].id);
}

/* Those that wait for their name to be free are declared when it is. */
static void say_awaited(const struct reload *reload)
{
    for (size_t i = 0; i < reload->tree.n_children; i++)
        if (manifest_set_awaited(reload->set)[i] && reload->tree.children[i].autostart &&
            reload->tree.children[i].has_process)
            say(reload, "WouldStart", reload->tree.children[i].id);
}

static void say_stops(const struct reload *reload)
{
    for (struct child *child = core_first(reload->core); child; child = core_next(child))
        if (is_orphan(reload, child) && child->attempt.active)
            say(reload, "WouldStop", child->id);
}

/* Whose processes it would start and stop, beside those that it restarts. */
static void plan(struct reload *reload)
{
    struct tree_declaration tree = {.children = reload->added,
                                    .n_children = reload->n_added,
                                    .supervisors = reload->added_supervisors,
                                    .n_supervisors = reload->n_added_supervisors};
    const struct plan_visitor starts = {say_start, reload};
    struct declaration_problem problem = {};

    if (tree.n_children > 0 &&
        core_dry_run(reload->core, NULL, &tree, &starts, reload->what->requester,
                     reload->what->reason, &problem) < 0)
        say_those_on_their_own(reload);
    if (reload->n_changed > 0)
        core_check_redeclare(reload->core, reload->changed, reload->n_changed, &starts, &problem);
    say_awaited(reload);
    say_stops(reload);
}

/* In this order, no step depends on one that comes later. */
static int apply(struct reload *reload, struct error *error)
{
    int r = apply_supervisors(reload, error);

    if (r == 0)
        r = apply_added(reload, error);
    if (r == 0)
        r = apply_changed(reload, error);
    if (r == 0)
        r = remove_orphans(reload, error);
    if (r == 0)
        remove_orphan_supervisors(reload);
    return r;
}

/* Rehearsed on a copy of the tree first: a reload is all or nothing. */
int manifest_set_reload(const struct manifest_set *set, struct core *core,
                        const struct manifest_reload *what, struct manifest_changes *changes,
                        struct error *error)
{
    INVARIANT(core && error);
    struct reload reload = {.set = set, .tree = manifest_set_tree(set), .core = core, .what = what};
    int r = survey(&reload, changes);

    if (r == -ENOMEM)
        r = out_of_memory(error);
    else
        r = is_alone(&reload) ? 0 : rehearse(&reload, error);
    if (r == 0 && what->dry_run)
        plan(&reload);
    else if (r == 0)
        r = apply(&reload, error);
    free(reload.added);
    free(reload.changed);
    free(reload.added_index);
    free(reload.added_supervisors);
    return r;
}

/* ---- those that had to go first -------------------------------------------------------------- */

/* Returns whether it has to be waited for still: its record is there, or one that it needs is not.
 */
static bool is_awaited(struct core *core, const struct child_declaration *declaration,
                       const char *requester, const char *reason)
{
    struct declaration_problem problem = {};

    if (core_find(core, declaration->id))
        return is_leaving(core, declaration->id);
    return core_declare(core, declaration, 1, requester, reason, &problem) == -ENOENT;
}

/* For children that had to be waited for. */
size_t manifest_set_go_on(const struct manifest_set *set, struct core *core, const char *requester,
                          const char *reason)
{
    bool *awaited = manifest_set_awaited(set);
    size_t left = 0;

    INVARIANT(core);
    for (size_t i = 0; i < manifest_set_count(set); i++) {
        awaited[i] =
            awaited[i] && is_awaited(core, manifest_set_declaration(set, i), requester, reason);
        left += awaited[i];
    }
    return left;
}
