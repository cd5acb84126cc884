#include "manifest_set.h"

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct source {
    char *path;
    struct manifest *manifest;
};

struct manifest_set {
    struct source *sources;
    size_t n_sources;
    struct child_declaration *declarations; /* of all sources, one after the other */
    size_t count;
    enum strategy strategy; /* of the root; one-for-one where no file says another */
    size_t strategy_source; /* the file that says so, from 1; 0: none */
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
    free(set);
}

static int fail(struct error *error, const char *path, const char *why)
{
    snprintf(error->text, sizeof(error->text), "%s: %s", path, why);
    return -EINVAL;
}

static void close_file(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static char *read_file(const char *path, size_t *length, struct error *error)
{
    __attribute__((cleanup(close_file))) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0) {
        fail(error, path, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > MANIFEST_FILE_MAX) {
        fail(error, path, S_ISREG(status.st_mode) ? "is larger than 8 MiB" : "is not a file");
        return NULL;
    }
    char *text = malloc((size_t)status.st_size + 1);
    ssize_t n = text ? read(fd, text, (size_t)status.st_size) : -1;
    if (n < 0) {
        fail(error, path, strerror(errno));
        free(text);
        return NULL;
    }
    *length = (size_t)n;
    text[n] = '\0';
    return text;
}

/* Two files that say different things about the same supervisor are a mistake. */
static int note_strategy(struct manifest_set *set, size_t i, struct error *error)
{
    const struct source *source = &set->sources[i];
    struct manifest_error place;
    enum strategy strategy;

    if (manifest_strategy(source->manifest, &strategy, &place) < 0)
        return 0;
    if (set->strategy_source > 0 && set->strategy != strategy) {
        snprintf(error->text, sizeof(error->text),
                 "%.150s:%zu:%zu: strategy: %s, but %.150s says %s", source->path, place.line,
                 place.column, strategy_to_string(strategy),
                 set->sources[set->strategy_source - 1].path, strategy_to_string(set->strategy));
        return -EINVAL;
    }
    set->strategy = strategy;
    set->strategy_source = i + 1;
    return 0;
}

static int add_source(struct manifest_set *set, const char *path, struct error *error)
{
    struct manifest_error problem;
    struct manifest *manifest;
    size_t length;

    struct source *sources = realloc(set->sources, (set->n_sources + 1) * sizeof(*set->sources));
    if (!sources)
        return fail(error, path, "out of memory");
    set->sources = sources;
    char *text = read_file(path, &length, error);
    if (!text)
        return -EINVAL;
    int r = manifest_parse(text, length, path, &manifest, &problem);
    free(text);
    if (r < 0) {
        snprintf(error->text, sizeof(error->text), "%s:%zu:%zu: %s", path, problem.line,
                 problem.column, problem.text[0] ? problem.text : strerror(-r));
        return r;
    }
    set->sources[set->n_sources++] = (struct source){.path = strdup(path), .manifest = manifest};
    return note_strategy(set, set->n_sources - 1, error);
}

static int add_matches(struct manifest_set *set, const char *pattern, int flags, size_t *found,
                       struct error *error)
{
    glob_t matches = {};
    int r = 0;

    if (glob(pattern, flags, NULL, &matches) == 0) {
        *found += matches.gl_pathc;
        for (size_t i = 0; i < matches.gl_pathc && r == 0; i++)
            r = add_source(set, matches.gl_pathv[i], error);
    }
    globfree(&matches);
    return r;
}

static int add_path(struct manifest_set *set, const char *path, bool optional, struct error *error)
{
    struct stat status;
    char pattern[4096];
    size_t found = 0;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        snprintf(pattern, sizeof(pattern), "%s/*.y{,a}ml", path);
        return add_matches(set, pattern, GLOB_BRACE, &found, error);
    }
    int r = add_matches(set, path, 0, &found, error);
    if (r == 0 && found == 0 && !optional)
        return fail(error, path, "no such file, folder or pattern");
    return r;
}

static int collect(struct manifest_set *set, struct error *error)
{
    for (size_t i = 0; i < set->n_sources; i++)
        set->count += manifest_count(set->sources[i].manifest);
    set->declarations = calloc(set->count + 1, sizeof(*set->declarations));
    if (!set->declarations)
        return fail(error, "manifests", "out of memory");

    struct child_declaration *next = set->declarations;
    for (size_t i = 0; i < set->n_sources; i++)
        for (size_t j = 0; j < manifest_count(set->sources[i].manifest); j++)
            *next++ = *manifest_declaration(set->sources[i].manifest, j);
    return 0;
}

int manifest_set_load(const char *const *paths, size_t count, bool optional,
                      struct manifest_set **set, struct error *error)
{
    struct manifest_set *fresh = calloc(1, sizeof(*fresh));
    int r = fresh ? 0 : fail(error, "manifests", "out of memory");

    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_path(fresh, paths[i], optional, error);
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

void manifest_set_explain(const struct manifest_set *set, const struct declaration_problem *problem,
                          struct error *error)
{
    size_t i = problem->declaration;

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

int manifest_set_declare(const struct manifest_set *set, struct core *core, const char *requester,
                         const char *reason, struct error *error)
{
    struct declaration_problem problem = {};
    int r = core_declare(core, set->declarations, set->count, requester, reason, &problem);

    if (r < 0)
        manifest_set_explain(set, &problem, error);
    else
        core_set_strategy(core, set->strategy);
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

static int declare_in_scratch(const struct manifest_set *set,
                              const struct child_declaration *declarations, size_t count,
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
    r = core_declare(core, declarations, count, "check", "check", &problem);
    if (r < 0)
        manifest_set_explain(set, &problem, error);
    core_free(core);
    return r;
}

int manifest_set_check(const struct manifest_set *set, struct error *error)
{
    return declare_in_scratch(set, set->declarations, set->count, error);
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
};

static enum difference compare(const struct core *core, const struct child_declaration *declaration,
                               struct child **child)
{
    *child = core_find(core, declaration->id);
    if (!*child)
        return ADDED;
    const struct child_config *config =
        (*child)->next_config ? (*child)->next_config : (*child)->config;
    return strcmp(config->declaration.manifest, declaration->manifest) == 0 ? UNCHANGED : CHANGED;
}

static bool in_set(const struct manifest_set *set, const char *id)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->declarations[i].id, id) == 0)
            return true;
    return false;
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

static int survey(struct reload *reload, struct manifest_changes *changes)
{
    *changes = (struct manifest_changes){};
    reload->added = calloc(reload->set->count + 1, sizeof(*reload->added));
    reload->added_index = calloc(reload->set->count + 1, sizeof(*reload->added_index));
    if (!reload->added || !reload->added_index)
        return -ENOMEM;

    for (size_t i = 0; i < reload->set->count; i++) {
        struct child *child;
        const struct child_declaration *declaration = &reload->set->declarations[i];
        switch (compare(reload->core, declaration, &child)) {
        case UNCHANGED:
            changes->unchanged++;
            break;
        case ADDED:
            changes->added++;
            reload->added_index[reload->n_added] = i;
            reload->added[reload->n_added++] = *declaration;
            say(reload, "added", declaration->id);
            break;
        case CHANGED:
            changes->changed++;
            say(reload, "changed", declaration->id);
            break;
        }
    }
    for (struct child *child = core_first(reload->core); child; child = core_next(child))
        if (is_orphan(reload, child)) {
            changes->removed++;
            say(reload, "removed", child->id);
        }
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

/* Declares the tree as it will be in a core that does nothing: every mistake shows there first. */
static int rehearse(const struct reload *reload, struct error *error)
{
    size_t count = reload->set->count;
    struct child_declaration *all = calloc(count + core_count(reload->core) + 1, sizeof(*all));
    if (!all)
        return fail(error, "reload", "out of memory");

    memcpy(all, reload->set->declarations, count * sizeof(*all));
    for (struct child *child = core_first(reload->core); child; child = core_next(child))
        if (!in_set(reload->set, child->id) && !is_orphan(reload, child))
            all[count++] = without_lost_dependencies(reload, child);
    int r = declare_in_scratch(reload->set, all, count, error);
    free(all);
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
    int r = n > 0 ? core_redeclare(reload->core, changed, n, reload->requester, reload->reason,
                                   &problem)
                  : 0;
    if (r < 0)
        *error = problem.error;
    free(changed);
    return r;
}

static void remove_orphans(struct reload *reload)
{
    for (struct child *child = core_first(reload->core), *next; child; child = next) {
        struct outcome outcome;
        struct error ignored;
        next = core_next(child);
        if (!is_orphan(reload, child))
            continue;
        struct command command = {.verb = COMMAND_REMOVE,
                                  .child = child->id,
                                  .reason = reload->reason,
                                  .requester = reload->requester};
        core_command(reload->core, &command, &outcome, &ignored);
    }
}

static int apply(struct reload *reload, struct error *error)
{
    struct declaration_problem problem = {};
    int r = rehearse(reload, error);

    if (r == 0 && reload->n_added > 0) {
        r = core_declare(reload->core, reload->added, reload->n_added, reload->requester,
                         reload->reason, &problem);
        if (r < 0) {
            problem.declaration = reload->added_index[problem.declaration];
            manifest_set_explain(reload->set, &problem, error);
        }
    }
    if (r == 0)
        r = apply_changed(reload, error);
    if (r == 0) {
        remove_orphans(reload);
        core_set_strategy(reload->core, reload->set->strategy);
    }
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
    return r;
}
