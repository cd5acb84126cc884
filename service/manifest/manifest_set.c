#include "manifest_set.h"

#include "child.h"
#include "environment_check.h"
#include "id_list.h"
#include "manifest_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct source {
    char *path;
    struct manifest *manifest;
};

/* What the files say about one supervisor. */
struct known_supervisor {
    struct supervisor_declaration declaration;
    bool settings;        /* one of them says how it is kept, */
    size_t source, index; /* namely this one */
};

struct manifest_set {
    struct source *sources;
    size_t n_sources;
    struct child_declaration *declarations; /* of all sources, one after the other */
    const char **ids;                       /* theirs, sorted */
    size_t count;
    struct known_supervisor *supervisors; /* each once, the root first */
    size_t n_supervisors;
    struct supervisor_declaration *supervisor_declarations; /* the same, for the core */
};

void manifest_set_free(struct manifest_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->n_sources; i++) {
        free(set->sources[i].path);
        manifest_free(set->sources[i].manifest);
    }
    free(set->sources);
    free(set->declarations);
    free(set->ids);
    free(set->supervisors);
    free(set->supervisor_declarations);
    free(set);
}

static int fail(struct error *error, const char *path, const char *why)
{
    snprintf(error->text, sizeof(error->text), "%s: %s", path, why);
    return -EINVAL;
}

static int fail_without_memory(struct error *error, const char *path)
{
    fail(error, path, strerror(ENOMEM));
    return -ENOMEM;
}

static int parse(const char *path, const char *text, size_t length, struct source *source,
                 struct error *error)
{
    struct manifest_error problem;
    int r = manifest_parse(text, length, path, &source->manifest, &problem);

    if (r < 0)
        snprintf(error->text, sizeof(error->text), "%s:%zu:%zu: %s", path, problem.line,
                 problem.column, problem.text[0] ? problem.text : strerror(-r));
    else
        source->path = strdup(path);
    return r;
}

static int add_source(struct manifest_set *set, const char *path, struct error *error)
{
    size_t length = 0;
    char *text = NULL;

    struct source *sources = realloc(set->sources, (set->n_sources + 1) * sizeof(*set->sources));
    if (!sources)
        return fail_without_memory(error, path);
    set->sources = sources;
    int r = manifest_files_read(path, &text, &length, error);
    if (r == 0)
        r = parse(path, text, length, &set->sources[set->n_sources], error);
    set->n_sources += r == 0;
    free(text);
    return r;
}

static int add_path(struct manifest_set *set, const char *path, bool optional,
                    struct manifest_progress *progress, struct error *error)
{
    bool folder;
    size_t size;
    char *names;

    manifest_progress_note(progress, path);
    int r = manifest_files_list(path, &names, &size, &folder, error);
    if (r == 0 && size == 0 && !folder && !optional)
        r = fail(error, path, "no such file, folder or pattern");
    for (const char *name = names; r == 0 && name < names + size; name += strlen(name) + 1) {
        manifest_progress_note(progress, name);
        r = add_source(set, name, error);
    }
    free(names);
    return r;
}

static struct known_supervisor *find_known(struct manifest_set *set, const char *path)
{
    for (size_t i = 0; i < set->n_supervisors; i++)
        if (strcmp(set->supervisors[i].declaration.path, path) == 0)
            return &set->supervisors[i];
    return NULL;
}

/* Several files may list children of one supervisor. Two that say different things about how it is
 * kept are a mistake. */
static int merge(struct manifest_set *set, struct known_supervisor *known,
                 const struct known_supervisor *said, struct error *error)
{
    const struct source *source = &set->sources[said->source],
                        *other = &set->sources[known->source];
    size_t position = known->declaration.position;
    struct manifest_error place;

    if (known->settings && said->settings) {
        if (strcmp(known->declaration.manifest, said->declaration.manifest) == 0)
            return 0;
        manifest_locate_supervisor(source->manifest, said->index, &place);
        snprintf(error->text, sizeof(error->text),
                 "%.150s:%zu:%zu: the supervisor \"%.60s\" is kept in another way %s%.150s",
                 source->path, place.line, place.column,
                 said->declaration.path[0] ? said->declaration.path : "root",
                 source == other ? "above" : "by ", source == other ? "" : other->path);
        return -EINVAL;
    }
    if (said->settings) {
        *known = *said;
        known->declaration.position = position;
    }
    return 0;
}

static int note_supervisor(struct manifest_set *set, const struct known_supervisor *said,
                           struct error *error)
{
    struct known_supervisor *known = find_known(set, said->declaration.path);

    if (known)
        return merge(set, known, said, error);
    set->supervisors[set->n_supervisors++] = *said;
    return 0;
}

static int collect_supervisors(struct manifest_set *set, size_t s, size_t first_child,
                               struct error *error)
{
    const struct manifest *manifest = set->sources[s].manifest;
    int r = 0;

    for (size_t i = 0; r == 0 && i < manifest_supervisor_count(manifest); i++) {
        struct known_supervisor said = {.source = s, .index = i};
        said.declaration = *manifest_supervisor(manifest, i, &said.settings);
        said.declaration.position += first_child;
        r = note_supervisor(set, &said, error);
    }
    return r;
}

static int make_room(struct manifest_set *set, struct error *error)
{
    size_t supervisors = 1;

    for (size_t i = 0; i < set->n_sources; i++) {
        set->count += manifest_count(set->sources[i].manifest);
        supervisors += manifest_supervisor_count(set->sources[i].manifest);
    }
    set->declarations = calloc(set->count + 1, sizeof(*set->declarations));
    set->supervisors = calloc(supervisors, sizeof(*set->supervisors));
    set->supervisor_declarations = calloc(supervisors, sizeof(*set->supervisor_declarations));
    set->ids = calloc(set->count + 1, sizeof(*set->ids));
    if (!set->declarations || !set->ids || !set->supervisors || !set->supervisor_declarations)
        return fail(error, "manifests", "out of memory");
    supervisor_declaration_defaults(&set->supervisors[0].declaration, "");
    set->n_supervisors = 1;
    return 0;
}

static int collect(struct manifest_set *set, struct error *error)
{
    struct child_declaration *next;
    int r = make_room(set, error);

    if (r < 0)
        return r;
    next = set->declarations;
    for (size_t i = 0; r == 0 && i < set->n_sources; i++) {
        r = collect_supervisors(set, i, (size_t)(next - set->declarations), error);
        for (size_t j = 0; j < manifest_count(set->sources[i].manifest); j++)
            *next++ = *manifest_declaration(set->sources[i].manifest, j);
    }
    for (size_t i = 0; i < set->n_supervisors; i++)
        set->supervisor_declarations[i] = set->supervisors[i].declaration;
    for (size_t i = 0; r == 0 && i < set->count; i++)
        set->ids[i] = set->declarations[i].id;
    if (r == 0)
        id_list_sort(set->ids, set->count);
    return r;
}

int manifest_set_load(const char *const *paths, size_t count, bool optional,
                      struct manifest_progress *progress, struct manifest_set **set,
                      struct error *error)
{
    struct manifest_set *fresh = calloc(1, sizeof(*fresh));
    int r = fresh ? 0 : fail(error, "manifests", "out of memory");

    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_path(fresh, paths[i], optional, progress, error);
    if (r == 0)
        r = collect(fresh, error);
    if (r < 0) {
        manifest_set_free(fresh);
        return r;
    }
    *set = fresh;
    return 0;
}

size_t manifest_set_count(const struct manifest_set *set)
{
    return set->count;
}

const struct child_declaration *manifest_set_declaration(const struct manifest_set *set, size_t i)
{
    return &set->declarations[i];
}

static void explain_supervisor(const struct manifest_set *set,
                               const struct declaration_problem *problem, struct error *error)
{
    const struct known_supervisor *known = &set->supervisors[problem->declaration];
    struct manifest_error place;

    *error = problem->error;
    if (problem->declaration >= set->n_supervisors || known->declaration.path[0] == '\0')
        return; /* it is not one of the files' */
    manifest_locate_supervisor(set->sources[known->source].manifest, known->index, &place);
    snprintf(error->text, sizeof(error->text), "%s:%zu:%zu: %.300s",
             set->sources[known->source].path, place.line, place.column, problem->error.text);
}

void manifest_set_explain(const struct manifest_set *set, const struct declaration_problem *problem,
                          struct error *error)
{
    size_t i = problem->declaration;

    if (problem->of_supervisor) {
        explain_supervisor(set, problem, error);
        return;
    }
    for (size_t s = 0; s < set->n_sources; s++) {
        const struct source *source = &set->sources[s];
        struct manifest_error place;
        if (i >= manifest_count(source->manifest)) {
            i -= manifest_count(source->manifest);
            continue;
        }
        manifest_locate(source->manifest, i, problem->dependency, &place);
        snprintf(error->text, sizeof(error->text), "%s:%zu:%zu: %.300s", source->path, place.line,
                 place.column, problem->error.text);
        return;
    }
    *error = problem->error;
}

static struct tree_declaration whole(const struct manifest_set *set)
{
    return (struct tree_declaration){.children = set->declarations,
                                     .n_children = set->count,
                                     .supervisors = set->supervisor_declarations,
                                     .n_supervisors = set->n_supervisors};
}

int manifest_set_declare(const struct manifest_set *set, struct core *core, const char *requester,
                         const char *reason, struct error *error)
{
    struct tree_declaration tree = whole(set);
    struct declaration_problem problem = {};
    int r = core_declare_tree(core, &tree, requester, reason, &problem);

    if (r < 0)
        manifest_set_explain(set, &problem, error);
    return r;
}

/* ---- check -----------------------------------------------------------------------------------

 * The checks are the core's own: the set is declared in a core whose ports do nothing. */

static uint64_t no_time(void *userdata)
{
    (void)userdata;
    return 1;
}

static void *allocate(void *userdata, size_t size)
{
    (void)userdata;
    return calloc(1, size);
}

static void release(void *userdata, void *memory)
{
    (void)userdata;
    free(memory);
}

static void do_nothing(void *userdata, struct child *child, struct attempt_id id)
{
    (void)userdata;
    (void)child;
    (void)id;
}

static void set_no_timer(void *userdata, uint64_t deadline_usec)
{
    (void)userdata;
    (void)deadline_usec;
}

static void drop_event(void *userdata, const struct event *event)
{
    (void)userdata;
    (void)event;
}

static int declare_in_scratch(const struct manifest_set *set, const struct tree_declaration *tree,
                              struct error *error)
{
    struct core_ports ports = {.monotonic = no_time,
                               .realtime = no_time,
                               .allocate = allocate,
                               .release = release,
                               .start = do_nothing,
                               .cancel = do_nothing,
                               .abort = do_nothing,
                               .set_timer = set_no_timer,
                               .event = drop_event};
    struct core_settings settings = {};
    struct declaration_problem problem = {};
    struct core *core;
    int r = core_new(&ports, &settings, &core);

    if (r < 0)
        return fail(error, "manifests", "out of memory");
    r = core_declare_tree(core, tree, "check", "check", &problem);
    if (r < 0)
        manifest_set_explain(set, &problem, error);
    core_free(core);
    return r;
}

int manifest_set_check(const struct manifest_set *set, struct error *error)
{
    struct tree_declaration tree = whole(set);
    int r = declare_in_scratch(set, &tree, error);

    for (size_t i = 0; r == 0 && i < set->count; i++)
        r = environment_check(&set->declarations[i], error);
    return r;
}

/* ---- reload ---------------------------------------------------------------------------------- */

enum difference { UNCHANGED, ADDED, CHANGED };

struct reload {
    const struct manifest_set *set;
    struct core *core;
    const char *requester;
    const char *reason;
    void (*visit)(void *userdata, const char *what, const char *id);
    void *userdata;
    struct child_declaration *added;
    size_t *added_index;
    size_t n_added;
    struct supervisor_declaration *added_supervisors;
    size_t n_added_supervisors;
};

/* What the journal of an earlier version has kept is the text as it stood in its file: compared is
 * what both say. */
static bool says_the_same(const char *before, const struct child_declaration *declaration)
{
    struct manifest_error ignored;
    struct manifest *manifest;

    if (strcmp(before, declaration->manifest) == 0)
        return true;
    if (manifest_parse(before, strlen(before), declaration->manifest_path, &manifest, &ignored) < 0)
        return false;
    bool same = manifest_count(manifest) == 1 &&
                strcmp(manifest_declaration(manifest, 0)->manifest, declaration->manifest) == 0;
    manifest_free(manifest);
    return same;
}

static enum difference compare(const struct core *core, const struct child_declaration *declaration,
                               struct child **child)
{
    *child = core_find(core, declaration->id);
    if (!*child)
        return ADDED;
    const struct child_config *config =
        (*child)->next_config ? (*child)->next_config : (*child)->config;
    return says_the_same(config->declaration.manifest, declaration) ? UNCHANGED : CHANGED;
}

static bool in_set(const struct manifest_set *set, const char *id)
{
    return id_list_has(set->ids, set->count, id);
}

static bool is_orphan(const struct reload *reload, const struct child *child)
{
    return child->config->declaration.manifest_path[0] != '\0' &&
           child->operation != CHILD_REMOVED && !in_set(reload->set, child->id);
}

static void say(const struct reload *reload, const char *what, const char *id)
{
    if (reload->visit)
        reload->visit(reload->userdata, what, id);
}

static enum difference compare_supervisor(const struct core *core,
                                          const struct supervisor_declaration *declaration)
{
    const struct supervisor *supervisor = core_find_supervisor(core, declaration->path);

    if (!supervisor)
        return ADDED;
    return strcmp(supervisor->config->declaration.manifest, declaration->manifest) == 0 &&
                   !supervisor->discarded
               ? UNCHANGED
               : CHANGED;
}

static bool is_orphan_supervisor(const struct reload *reload, const struct supervisor *supervisor)
{
    if (supervisor->path[0] == '\0' || supervisor->config->declaration.manifest_path[0] == '\0')
        return false;
    for (size_t i = 0; i < reload->set->n_supervisors; i++)
        if (strcmp(reload->set->supervisor_declarations[i].path, supervisor->path) == 0)
            return false;
    return !supervisor->discarded;
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

static void survey_supervisors(struct reload *reload, struct manifest_changes *changes)
{
    const struct manifest_set *set = reload->set;

    for (size_t i = 0; i < set->n_supervisors; i++) {
        const struct supervisor_declaration *d = &set->supervisor_declarations[i];
        switch (compare_supervisor(reload->core, d)) {
        case UNCHANGED:
            break;
        case ADDED:
            reload->added_supervisors[reload->n_added_supervisors++] = *d;
            say_supervisor(reload, &changes->added, "added", d->path);
            break;
        case CHANGED:
            say_supervisor(reload, &changes->changed, "changed", d->path);
            break;
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

static int survey(struct reload *reload, struct manifest_changes *changes)
{
    *changes = (struct manifest_changes){};
    reload->added = calloc(reload->set->count + 1, sizeof(*reload->added));
    reload->added_index = calloc(reload->set->count + 1, sizeof(*reload->added_index));
    reload->added_supervisors =
        calloc(reload->set->n_supervisors + 1, sizeof(*reload->added_supervisors));
    if (!reload->added || !reload->added_index || !reload->added_supervisors)
        return -ENOMEM;

    survey_supervisors(reload, changes);
    for (size_t i = 0; i < reload->set->count; i++) {
        struct child *child;
        const struct child_declaration *declaration = &reload->set->declarations[i];
        switch (compare(reload->core, declaration, &child)) {
        case UNCHANGED:
            changes->unchanged++;
            break;
        case ADDED:
            reload->added_index[reload->n_added] = i;
            reload->added[reload->n_added++] = *declaration;
            count(reload, &changes->added, "added", declaration->id);
            break;
        case CHANGED:
            count(reload, &changes->changed, "changed", declaration->id);
            break;
        }
    }
    place_added_supervisors(reload);
    for (struct child *child = core_first(reload->core); child; child = core_next(child))
        if (is_orphan(reload, child))
            count(reload, &changes->removed, "removed", child->id);
    return 0;
}

static bool stays(const struct reload *reload, const char *id)
{
    struct child *child = core_find(reload->core, id);
    return in_set(reload->set, id) || (child && !is_orphan(reload, child));
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
        bool known = s->path[0] == '\0';
        for (size_t i = 0; !known && i < reload->set->n_supervisors; i++)
            known = strcmp(reload->set->supervisor_declarations[i].path, s->path) == 0;
        if (known)
            continue;
        all[n] = s->config->declaration;
        all[n++].position = 0;
    }
    return n;
}

/* Declares the tree as it will be in a core that does nothing: every mistake shows there first. */
static int rehearse(const struct reload *reload, struct error *error)
{
    const struct manifest_set *set = reload->set;
    size_t count = set->count, n = set->n_supervisors;
    struct child_declaration *all = calloc(count + core_count(reload->core) + 1, sizeof(*all));
    struct supervisor_declaration *supervisors =
        calloc(n + SUPERVISORS_MAX + 1, sizeof(*supervisors));
    int r = all && supervisors ? 0 : fail(error, "reload", "out of memory");

    if (r == 0) {
        memcpy(all, set->declarations, count * sizeof(*all));
        memcpy(supervisors, set->supervisor_declarations, n * sizeof(*supervisors));
        n = add_other_supervisors(reload, supervisors, n);
        for (struct child *child = core_first(reload->core); child; child = core_next(child))
            if (!in_set(set, child->id) && !is_orphan(reload, child))
                all[count++] = without_lost_dependencies(reload, child);
        r = declare_in_scratch(set,
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

static int apply_supervisors(struct reload *reload, struct error *error)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < reload->set->n_supervisors; i++) {
        const struct supervisor_declaration *d = &reload->set->supervisor_declarations[i];
        struct declaration_problem problem = {};
        if (compare_supervisor(reload->core, d) != CHANGED)
            continue;
        r = core_redeclare_supervisor(reload->core, d, &problem);
        if (r < 0)
            *error = problem.error;
    }
    return r;
}

static int apply_changed(struct reload *reload, struct error *error)
{
    struct child_declaration *changed = calloc(reload->set->count + 1, sizeof(*changed));
    struct declaration_problem problem = {};
    struct child *child;
    size_t n = 0;

    if (!changed)
        return fail(error, "reload", "out of memory");
    for (size_t i = 0; i < reload->set->count; i++)
        if (compare(reload->core, &reload->set->declarations[i], &child) == CHANGED)
            changed[n++] = reload->set->declarations[i];
    int r = n > 0 ? core_redeclare(reload->core, changed, n, REDECLARE_WAITS, reload->requester,
                                   reload->reason, &problem)
                  : 0;
    if (r < 0)
        *error = problem.error;
    free(changed);
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
        return fail(error, "reload", "out of memory");
    for (struct child *child = supervisor_last(root); child;
         child = supervisor_previous(root, child))
        if (is_orphan(reload, child)) {
            fprintf(stream, "%s\n", child->id);
            count++;
        }
    bool whole = !ferror(stream);
    whole = fclose(stream) == 0 && whole;
    if (whole && count > 0)
        core_remove(reload->core, ids, reload->requester, reload->reason);
    free(ids);
    return whole ? 0 : fail(error, "reload", "out of memory");
}

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

static int apply_added(struct reload *reload, struct error *error)
{
    struct tree_declaration tree = {.children = reload->added,
                                    .n_children = reload->n_added,
                                    .supervisors = reload->added_supervisors,
                                    .n_supervisors = reload->n_added_supervisors};
    struct declaration_problem problem = {};

    if (tree.n_children + tree.n_supervisors == 0)
        return 0;
    int r = core_declare_tree(reload->core, &tree, reload->requester, reload->reason, &problem);
    if (r < 0 && !problem.of_supervisor) {
        problem.declaration = reload->added_index[problem.declaration];
        manifest_set_explain(reload->set, &problem, error);
    } else if (r < 0) {
        *error = problem.error;
    }
    return r;
}

static int apply(struct reload *reload, struct error *error)
{
    int r = rehearse(reload, error);

    if (r == 0)
        r = apply_supervisors(reload, error);
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

int manifest_set_reload(const struct manifest_set *set, struct core *core, const char *requester,
                        const char *reason, bool dry_run, struct manifest_changes *changes,
                        void (*visit)(void *userdata, const char *what, const char *id),
                        void *userdata, struct error *error)
{
    struct reload reload = {.set = set,
                            .core = core,
                            .requester = requester,
                            .reason = reason,
                            .visit = visit,
                            .userdata = userdata};
    int r = survey(&reload, changes);

    if (r == 0 && !dry_run)
        r = apply(&reload, error);
    free(reload.added);
    free(reload.added_index);
    free(reload.added_supervisors);
    return r;
}
