/*
 * All manifests together, as one tree. Each file is read on its own; what they
 * say about the same supervisor is put together here.
 */
#include "manifest/manifest_set.h"
#include "core/vocabulary/invariant.h"

#include "core/idle_ports.h"
#include "core/model/child.h"
#include "core/vocabulary/text.h"
#include "manifest/drop_in.h"
#include "manifest/environment_check.h"
#include "manifest/id_list.h"
#include "manifest/manifest_files.h"

#include <errno.h>
#include <limits.h>
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
    unsigned references;
    struct mistakes *mistakes; /* while it is loaded; NULL: the first is enough */
    bool sound;
    bool *awaited; /* by number: its record has to go first, see manifest_set_go_on() */
    struct source *sources;
    size_t n_sources;
    struct child_declaration *declarations; /* of all sources, one after the other */
    const char **ids;                       /* theirs, sorted */
    size_t count;
    struct known_supervisor *supervisors; /* each once, the root first */
    size_t n_supervisors;
    struct supervisor_declaration *supervisor_declarations; /* the same, for the core */
};

struct manifest_set *manifest_set_keep(const struct manifest_set *set)
{
    struct manifest_set *kept = (struct manifest_set *)(uintptr_t)set;

    kept->references++;
    return kept;
}

bool *manifest_set_awaited(const struct manifest_set *set)
{
    return set->awaited;
}

/* Counted, as a reload may keep a set. */
void manifest_set_free(struct manifest_set *set)
{
    if (!set || (set->references > 0 && set->references-- > 0))
        return;
    free(set->awaited);
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

/* The manifest, or the drop-in that says it. */
static const char *file_of(const char *path, const struct manifest_error *place)
{
    return place->file[0] ? place->file : path;
}

/* "FILE:LINE:COLUMN: why". */
static void say_place(struct error *error, const char *path, const struct manifest_error *place,
                      const char *why)
{
    char number[48];
    struct text text = text_in(error->text, sizeof(error->text));

    snprintf(number, sizeof(number), ":%zu:%zu: ", place->line, place->column);
    text_append(&text, file_of(path, place));
    text_append(&text, number);
    text_append(&text, why);
}

/* What comes of a mistake: it is the end, or noted. */
static int go_on(struct manifest_set *set, int r, const struct error *error)
{
    if (r >= 0 || r == -ENOMEM || !set->mistakes)
        return r;
    mistakes_note(set->mistakes, error->text);
    return 0;
}

/* Errors as FILE:LINE:COLUMN. */
static int parse(const struct manifest_text *texts, size_t drop_ins, struct mistakes *mistakes,
                 struct source *source, struct error *error)
{
    struct manifest_error problem;
    const char *path = texts->path;
    int r = manifest_parse_all(texts, drop_ins, mistakes, &source->manifest, &problem);

    if (r < 0) {
        say_place(error, path, &problem, problem.text[0] ? problem.text : strerror(-r));
        return r;
    }
    source->path = strdup(path);
    if (source->path)
        return 0;
    manifest_free(source->manifest);
    return fail_without_memory(error, path);
}

/* A file, and what lies over it, in texts[0..*n]. The texts are freed by the caller. */
static int read_texts(const char *path, const char *drop_ins, size_t size,
                      struct manifest_text texts[DROP_INS_MAX + 1], size_t *n, struct error *error)
{
    char *text;
    int r = manifest_files_read(path, &text, &texts->length, error);

    texts->path = path;
    texts->text = text;
    for (const char *name = drop_ins; r == 0 && name < drop_ins + size; name += strlen(name) + 1) {
        if (*n == DROP_INS_MAX)
            return fail(error, name, "is one too many: a manifest has at most 64 drop-ins");
        struct manifest_text *next = &texts[*n + 1];
        r = manifest_files_read(name, &text, &next->length, error);
        next->path = name;
        next->text = text;
        *n += r == 0;
    }
    return r;
}

/* One file, with what is in the folder of its drop-ins ("": there is none). */
static int add_source(struct manifest_set *set, const char *path, const char *folder,
                      struct error *error)
{
    struct manifest_text texts[DROP_INS_MAX + 1] = {};
    size_t n = 0, size = 0;
    char *names = NULL;
    bool is_folder;

    struct source *sources = realloc(set->sources, (set->n_sources + 1) * sizeof(*set->sources));
    if (!sources)
        return fail_without_memory(error, path);
    set->sources = sources;
    int r = folder[0] ? manifest_files_list(folder, &names, &size, &is_folder, error) : 0;
    if (r == 0)
        r = read_texts(path, names, size, texts, &n, error);
    if (r == 0)
        r = parse(texts, n, set->mistakes, &set->sources[set->n_sources], error);
    set->n_sources += r == 0;
    for (size_t i = 0; i <= n; i++)
        free((char *)(uintptr_t)texts[i].text);
    free(names);
    return go_on(set, r, error);
}

static bool is_listed(const char *names, size_t size, const char *name)
{
    for (const char *one = names; one < names + size; one += strlen(one) + 1)
        if (strcmp(one, name) == 0)
            return true;
    return false;
}

/* The folders of drop-ins that there are beside the files of a path: of all of them at once, so
 * that nothing is asked for each of twenty thousand files. */
static int list_drop_ins(const char *path, bool folder, char **names, size_t *size,
                         struct error *error)
{
    char pattern[PATH_MAX + 16];
    bool one;

    snprintf(pattern, sizeof(pattern), folder ? "%.4090s/*.y*ml.d" : "%.4090s.d", path);
    int r = manifest_files_list(pattern, names, size, &one, error);
    if (r < 0 || !one)
        return r;
    free(*names); /* it was no pattern, and what is in the folder was listed */
    *names = strdup(pattern);
    *size = strlen(pattern) + 1;
    return *names ? 0 : fail_without_memory(error, path);
}

/* A file, a directory or a pattern. */
static int add_path(struct manifest_set *set, const char *path, bool optional,
                    struct manifest_progress *progress, struct error *error)
{
    char folder[PATH_MAX + 16], *names = NULL, *drop_ins = NULL;
    size_t size = 0, drop_ins_size = 0;
    bool is_folder = false;

    manifest_progress_note(progress, path);
    int r = manifest_files_list(path, &names, &size, &is_folder, error);
    if (r == 0 && size == 0 && !is_folder && !optional)
        r = fail(error, path, "no such file, folder or pattern");
    if (r == 0 && size > 0)
        r = list_drop_ins(path, is_folder, &drop_ins, &drop_ins_size, error);
    r = go_on(set, r, error);
    for (const char *name = names; r == 0 && name < names + size; name += strlen(name) + 1) {
        manifest_progress_note(progress, name);
        snprintf(folder, sizeof(folder), "%.4090s.d", name);
        if (!is_listed(drop_ins, drop_ins_size, folder))
            folder[0] = '\0';
        r = add_source(set, name, folder, error);
    }
    free(names);
    free(drop_ins);
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
                 "%.150s:%zu:%zu: the supervisor \"%.60s\" is declared differently %s%.150s",
                 file_of(source->path, &place), place.line, place.column,
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
        return go_on(set, merge(set, known, said, error), error);
    set->supervisors[set->n_supervisors++] = *said;
    return 0;
}

/* Positions continue from file to file. */
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

/* Everything at once, when the number is known. */
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
    set->awaited = calloc(set->count + 1, sizeof(*set->awaited));
    if (!set->declarations || !set->ids || !set->awaited || !set->supervisors ||
        !set->supervisor_declarations)
        return fail(error, "manifests", "out of memory");
    supervisor_declaration_defaults(&set->supervisors[0].declaration, "");
    set->n_supervisors = 1;
    return 0;
}

bool manifest_set_has(const struct manifest_set *set, const char *id)
{
    return id_list_has(set->ids, set->count, id);
}

/* One list of all declarations. */
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

static int load(const char *const *paths, size_t count, bool optional,
                struct manifest_progress *progress, struct mistakes *mistakes,
                struct manifest_set **set, struct error *error)
{
    struct manifest_set *fresh = calloc(1, sizeof(*fresh));
    int r = fresh ? 0 : fail_without_memory(error, "manifests");

    if (fresh)
        fresh->mistakes = mistakes;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_path(fresh, paths[i], optional, progress, error);
    if (r == 0)
        r = collect(fresh, error);
    if (r < 0) {
        manifest_set_free(fresh);
        return r;
    }
    fresh->mistakes = NULL;
    *set = fresh;
    return 0;
}

/* The first error ends it. */
int manifest_set_load(const char *const *paths, size_t count, bool optional,
                      struct manifest_progress *progress, struct manifest_set **set,
                      struct error *error)
{
    INVARIANT(error);
    return load(paths, count, optional, progress, NULL, set, error);
}

int manifest_set_load_all(const char *const *paths, size_t count, bool optional,
                          struct mistakes *mistakes, struct manifest_set **set, struct error *error)
{
    INVARIANT(mistakes && error);
    return load(paths, count, optional, NULL, mistakes, set, error);
}

size_t manifest_set_count(const struct manifest_set *set)
{
    return set->count;
}

const struct child_declaration *manifest_set_declaration(const struct manifest_set *set, size_t i)
{
    return &set->declarations[i];
}

/* The root may have been declared by no file. */
static void explain_supervisor(const struct manifest_set *set,
                               const struct declaration_problem *problem, struct error *error)
{
    const struct known_supervisor *known = &set->supervisors[problem->declaration];
    struct manifest_error place;

    *error = problem->error;
    if (problem->declaration >= set->n_supervisors || known->declaration.path[0] == '\0')
        return; /* it is not one of the files' */
    manifest_locate_supervisor(set->sources[known->source].manifest, known->index, &place);
    say_place(error, set->sources[known->source].path, &place, problem->error.text);
}

/* From the number of a declaration back to its file and line. */
void manifest_set_explain(const struct manifest_set *set, const struct declaration_problem *problem,
                          struct error *error)
{
    INVARIANT(problem && error);
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
        say_place(error, source->path, &place, problem->error.text);
        return;
    }
    *error = problem->error;
}

struct tree_declaration manifest_set_tree(const struct manifest_set *set)
{
    return (struct tree_declaration){.children = set->declarations,
                                     .n_children = set->count,
                                     .supervisors = set->supervisor_declarations,
                                     .n_supervisors = set->n_supervisors};
}

/* For the first start. */
int manifest_set_declare(const struct manifest_set *set, struct core *core, const char *requester,
                         const char *reason, struct error *error)
{
    INVARIANT(core);
    struct tree_declaration tree = manifest_set_tree(set);
    struct declaration_problem problem = {};
    int r = core_declare_tree(core, &tree, requester, reason, &problem);

    if (r < 0)
        manifest_set_explain(set, &problem, error);
    return r;
}

/* ---- check -----------------------------------------------------------------------------------

 * The checks are the core's own: the set is declared in a core whose ports do nothing. */

/* In a core that lives nowhere. */
int manifest_set_rehearse(const struct tree_declaration *tree, struct declaration_problem *problem)
{
    INVARIANT(tree && problem);
    struct core_ports ports = core_ports_idle();
    struct core_settings settings = {};
    struct core *core;
    int r = core_new(&ports, &settings, &core);

    *problem = (struct declaration_problem){.dependency = PROBLEM_ELSEWHERE};
    if (r < 0)
        return -ENOMEM;
    r = core_declare_tree(core, tree, "check", "check", problem);
    core_free(core);
    return r;
}

int manifest_set_try(const struct manifest_set *set, const struct tree_declaration *tree,
                     struct error *error)
{
    INVARIANT(tree && error);
    struct declaration_problem problem;
    int r = manifest_set_rehearse(tree, &problem);

    if (r == -ENOMEM)
        return fail_without_memory(error, "manifests");
    if (r < 0)
        manifest_set_explain(set, &problem, error);
    return r;
}

void manifest_set_prepare(struct manifest_set *set)
{
    struct tree_declaration tree = manifest_set_tree(set);
    struct error error;

    set->sound = manifest_set_try(set, &tree, &error) == 0;
}

bool manifest_set_is_sound(const struct manifest_set *set)
{
    return set->sound;
}

int manifest_set_check(const struct manifest_set *set, struct error *error)
{
    INVARIANT(error);
    struct tree_declaration tree = manifest_set_tree(set);
    int r = manifest_set_try(set, &tree, error);

    for (size_t i = 0; r == 0 && i < set->count; i++)
        r = environment_check(&set->declarations[i], error);
    return r;
}
