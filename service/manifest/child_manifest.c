/*
 * A child in a manifest: one reader per key. A reader checks one value, and
 * nothing else; what depends on several keys is checked when the whole mapping
 * has been read, since keys may stand in any order.
 */
#include "manifest/child_manifest.h"
#include "core/vocabulary/invariant.h"

#include "core/vocabulary/text.h"
#include "manifest/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 256

/* ---- small readers --------------------------------------------------------------------------- */

static int read_signal(struct reader *reader, const struct node *node, int *target)
{
    const char *text = reader_scalar(reader, node, "a signal such as SIGTERM");
    if (!text)
        return -EINVAL;
    if (unit_signal(text, target) < 0)
        return reader_refuse(reader, node, "expected a signal such as SIGTERM, got \"%.60s\"",
                             text);
    return 0;
}

/* The list replaces the default. */
static int read_exit_codes(struct reader *reader, const struct node *node, struct exit_codes *codes)
{
    const char **list;
    size_t count;
    int r = reader_strings(reader, node, EXIT_CODES_MAX, &list, &count);

    if (r < 0)
        return r;
    codes->count = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t code;
        if (unit_number(list[i], 255, &code) < 0)
            return reader_refuse(reader, node, "expected exit codes from 0 to 255, got \"%.60s\"",
                                 list[i]);
        codes->codes[codes->count++] = (uint8_t)code;
    }
    return 0;
}

#define READER(name, expression)                                                                   \
    static int name(struct reader *reader, const struct node *node, void *target)                  \
    {                                                                                              \
        struct parsed_child *child = target;                                                       \
        struct child_declaration *d = &child->declaration;                                         \
        (void)d;                                                                                   \
        return (expression);                                                                       \
    }

#define WORD_READER(name, field, ...)                                                              \
    static int name(struct reader *reader, const struct node *node, void *target)                  \
    {                                                                                              \
        static const struct word words[] = {__VA_ARGS__, {}};                                      \
        struct parsed_child *child = target;                                                       \
        int value;                                                                                 \
        int r = reader_word(reader, node, words, &value);                                          \
        if (r == 0)                                                                                \
            child->declaration.field = value;                                                      \
        return r;                                                                                  \
    }

/* ---- nested mappings ------------------------------------------------------------------------- */

static int read_burst(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    return reader_u32(reader, node, RESTART_LIMIT_BURST_MAX, &child->declaration.burst);
}

READER(read_interval, reader_duration(reader, node, &d->interval_usec))
WORD_READER(read_on_limit, on_limit, {"quarantine", ON_LIMIT_QUARANTINE},
            {"cool-down", ON_LIMIT_COOL_DOWN}, {"stop", ON_LIMIT_STOP},
            {"escalate", ON_LIMIT_ESCALATE}, {"shutdown-tree", ON_LIMIT_SHUTDOWN_TREE})

static int read_restart_limit(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {
        {"burst", read_burst}, {"interval", read_interval}, {"on_limit", read_on_limit}, {}};
    return reader_mapping(reader, node, keys, target);
}

READER(read_initial, reader_duration(reader, node, &d->backoff.initial_usec))
READER(read_max, reader_duration(reader, node, &d->backoff.max_usec))
READER(read_factor, reader_milli(reader, node, 1000, 100000, &d->backoff.factor_milli))
READER(read_ratio, reader_milli(reader, node, 0, 1000, &d->backoff.ratio_milli))
READER(read_reset_after, reader_duration(reader, node, &d->backoff.reset_after_usec))
WORD_READER(read_jitter, backoff.jitter, {"none", JITTER_NONE}, {"equal", JITTER_EQUAL},
            {"full", JITTER_FULL}, {"decorrelated", JITTER_DECORRELATED})

/* initial and max are compared at the end. */
static int read_backoff(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"initial", read_initial},
                                      {"max", read_max},
                                      {"factor", read_factor},
                                      {"jitter", read_jitter},
                                      {"ratio", read_ratio},
                                      {"reset_after", read_reset_after},
                                      {}};
    struct parsed_child *child = target;
    int r = reader_mapping(reader, node, keys, target);

    if (r == 0 && child->declaration.backoff.initial_usec > child->declaration.backoff.max_usec)
        return reader_refuse(reader, node, "initial is longer than max");
    return r;
}

READER(read_stop_signal, read_signal(reader, node, &d->process.stop_signal))
READER(read_stop_commands, manifest_read_commands(reader, node, &d->process.stop))
READER(read_stop_timeout, reader_deadline(reader, node, &d->stop_timeout_usec))
READER(read_abort_timeout, reader_deadline(reader, node, &d->abort_timeout_usec))
WORD_READER(read_kill_mode, process.kill_group, {"group", 1}, {"main", 0})
WORD_READER(read_timeout_action, timeout_action, {"kill", TIMEOUT_KILL}, {"report", TIMEOUT_REPORT})

WORD_READER(read_leftovers, leftovers, {"wait", LEFTOVERS_WAIT}, {"kill", LEFTOVERS_KILL},
            {"keep", LEFTOVERS_KEEP})

/* "SIGTERM 10s" */
static int read_stop_step(struct reader *reader, const struct node *item, size_t i, void *target)
{
    struct child_declaration *d = &((struct parsed_child *)target)->declaration;
    const char *expected = "a signal and its time, such as SIGTERM 10s";
    const char *text = reader_scalar(reader, item, expected);
    char word[32];
    struct stop_step step = {};

    if (!text)
        return -EINVAL;
    size_t length = strcspn(text, " ");
    const char *time = text + length + strspn(text + length, " ");
    snprintf(word, sizeof(word), "%.*s", (int)(length < sizeof(word) ? length : 0), text);
    if (unit_signal(word, &step.signal) < 0 ||
        (strcmp(time, "infinity") != 0 && unit_duration(time, &step.usec) < 0))
        return reader_refuse(reader, item, "expected %s, got \"%.60s\"", expected, text);
    if (i == 0) {
        d->process.stop_signal = step.signal;
        d->stop_timeout_usec = step.usec;
    } else {
        d->further_stops[i - 1] = step;
    }
    return 0;
}

/* Only the last may take as long as it likes: otherwise none would come to the next. */
static int check_times(struct reader *reader, const struct node *node,
                       const struct child_declaration *d)
{
    for (uint32_t i = 0; i < d->n_further_stops; i++)
        if ((i == 0 ? d->stop_timeout_usec : d->further_stops[i - 1].usec) == 0)
            return reader_refuse(reader, node->items[i],
                                 "only the last signal can have no deadline");
    return 0;
}

/* The first signal has fields of its own; the rest is a list. */
static int read_stop_signals(struct reader *reader, const struct node *node, void *target)
{
    struct child_declaration *d = &((struct parsed_child *)target)->declaration;
    size_t count = reader_list_length(node);

    if (node->kind == NODE_LIST && (count == 0 || count > STOP_SIGNALS_MAX))
        return reader_refuse(reader, node, "expected 1 to %d signals, got %zu", STOP_SIGNALS_MAX,
                             count);
    int r = reader_list(reader, node, target, read_stop_step);
    if (r < 0)
        return r;
    d->n_further_stops = (uint32_t)count - 1;
    return check_times(reader, node, d);
}

/* A single signal overrides a sequence that comes from the defaults of a
 * supervisor. */
static int read_stop(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"signal", read_stop_signal},
                                      {"timeout", read_stop_timeout},
                                      {"signals", read_stop_signals},
                                      {"commands", read_stop_commands},
                                      {"abort_timeout", read_abort_timeout},
                                      {"kill_mode", read_kill_mode},
                                      {"timeout_action", read_timeout_action},
                                      {}};
    struct child_declaration *d = &((struct parsed_child *)target)->declaration;
    bool one = node_find(node, "signal") || node_find(node, "timeout");

    if (one) /* what a supervisor's defaults say of more than one is not meant */
        d->n_further_stops = 0;
    if (one && node_find(node, "signals"))
        return reader_refuse(reader, node_find(node, "signals"),
                             "signals replaces signal and timeout: expected one or the other");
    return reader_mapping(reader, node, keys, target);
}

static int read_heartbeat_interval(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    int r = reader_duration(reader, node, &child->declaration.heartbeat_usec);

    if (r == 0 && child->declaration.heartbeat_usec == 0)
        return reader_refuse(reader, node, "must be longer than 0");
    child->has_interval = true;
    return r;
}

static int read_stale_after(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    child->has_stale_after = true;
    return reader_deadline(reader, node, &child->declaration.stale_after_usec);
}

WORD_READER(read_on_stale, on_stale, {"report", ON_STALE_REPORT}, {"restart", ON_STALE_RESTART})
READER(read_required, reader_bool(reader, node, &d->heartbeat_required))

static int read_heartbeat(struct reader *reader, const struct node *node, void *target)
{
    static const struct key keys[] = {{"interval", read_heartbeat_interval},
                                      {"stale_after", read_stale_after},
                                      {"on_stale", read_on_stale},
                                      {"required", read_required},
                                      {}};
    struct parsed_child *child = target;
    struct child_declaration *d = &child->declaration;
    int r = reader_mapping(reader, node, keys, target);

    if (r < 0)
        return r;
    if (!child->has_interval)
        return reader_refuse(reader, node, "interval is missing");
    if (!child->has_stale_after)
        d->stale_after_usec = 3 * d->heartbeat_usec;
    if (d->stale_after_usec > 0 && d->stale_after_usec < d->heartbeat_usec)
        return reader_refuse(reader, node,
                             "stale_after is shorter than interval: the child "
                             "would be stale between two beats");
    return 0;
}

/* ---- the process ----------------------------------------------------------------------------- */

/* The first word is the program. */
static int read_exec(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    const char **arguments;
    size_t count;
    int r = reader_strings(reader, node, ARGUMENTS_MAX, &arguments, &count);

    if (r < 0)
        return r;
    if (count == 0)
        return reader_refuse(reader, node, "must name a program");
    if (arguments[0][0] != '/') {
        reader_enter(reader, "[0]");
        return reader_refuse(reader, node, "expected an absolute path, got \"%.60s\"",
                             arguments[0]);
    }
    child->declaration.process.arguments = arguments;
    child->declaration.has_process = true;
    return 0;
}

/* Further arguments, behind those of exec: what `proctorctl run FILE -- ARG...` adds. */
static int read_arguments(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;

    child->arguments_node = node;
    return reader_strings(reader, node, ARGUMENTS_MAX, &child->arguments, &child->n_arguments);
}

/* exec and arguments may stand in any order. */
static int append_arguments(struct reader *reader, struct parsed_child *child)
{
    const char **exec = child->declaration.process.arguments, **all;
    size_t n = 0;

    if (child->n_arguments == 0)
        return 0;
    if (!exec)
        return reader_refuse(reader, child->arguments_node, "arguments: exec is missing");
    while (exec[n])
        n++;
    all = arena_allocate(reader->arena, (n + child->n_arguments + 1) * sizeof(*all));
    if (!all)
        return -ENOMEM;
    memcpy(all, exec, n * sizeof(*all));
    memcpy(all + n, child->arguments, child->n_arguments * sizeof(*all));
    child->declaration.process.arguments = all;
    return 0;
}

/* ---- the child ------------------------------------------------------------------------------- */

/* One segment; the supervisor is added later. */
static int read_name(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    int r = reader_text(reader, node, &child->declaration.id);

    if (r == 0 && (!child_id_valid(child->declaration.id) || strchr(child->declaration.id, '/')))
        return reader_refuse(reader, node,
                             "expected 1 to 64 characters of A-Z a-z 0-9 _ . @ : -, got \"%.60s\"",
                             child->declaration.id);
    return r;
}

static const struct word kinds[] = {{"service", ROLE_SERVICE},
                                    {"worker", ROLE_WORKER},
                                    {"job", ROLE_JOB},
                                    {"sidecar", ROLE_SIDECAR},
                                    {"async_worker", ROLE_WORKER},
                                    {"blocking_worker", ROLE_WORKER},
                                    {}};

/* The kind was read before everything else, as the defaults depend on it. */
static int read_kind(struct reader *reader, const struct node *node, void *target)
{
    int value;
    (void)target;
    return reader_word(reader, node, kinds, &value);
}

/* A child in a list may repeat its supervisor, but not contradict it. */
static int read_supervisor(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    const char *path;
    int r = manifest_read_path(reader, node, &path);

    if (r < 0)
        return r;
    if (child->above && strcmp(child->above, path) != 0)
        return reader_refuse(reader, node, "the child is already in the list of \"%.60s\"",
                             child->above[0] ? child->above : "root");
    child->above = path;
    child->supervisor = place_of(node);
    return 0;
}

static int read_ids(struct reader *reader, const struct node *node, const char ***ids,
                    size_t *count)
{
    int r = reader_strings(reader, node, DEPENDENCIES_MAX, ids, count);

    size_t mark = strlen(reader->path);
    int worst = r;
    for (size_t i = 0; r == 0 && i < *count; i++) {
        if (child_id_valid((*ids)[i]))
            continue;
        worst =
            reader_refuse(reader, node->items[i], "\"%.60s\" is not a valid child id", (*ids)[i]);
        if (!reader_goes_on(reader, mark, worst))
            return worst;
    }
    return worst;
}

/* manifest_apply_role() makes something of it. */
static int read_primary(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    const char *id;

    child->primary_node = node;
    int r = reader_text(reader, node, &id);
    if (r == 0 && !child_id_valid(id))
        return reader_refuse(reader, node, "\"%.60s\" is not a valid child id", id);
    return r;
}

static int read_sidecar_order(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {{"around", SIDECAR_AROUND}, {"with", SIDECAR_WITH}, {}};
    struct parsed_child *child = target;
    int value, r = reader_word(reader, node, words, &value);

    if (r == 0)
        child->declaration.sidecar_order = (enum sidecar_order)value;
    return r;
}

static int read_requires(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    child->requires_node = node;
    return read_ids(reader, node, &child->declaration.requires, &child->declaration.n_requires);
}

static int read_after(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    child->after_node = node;
    return read_ids(reader, node, &child->declaration.after, &child->declaration.n_after);
}

static int read_group(struct reader *reader, const struct node *node, void *target)
{
    struct parsed_child *child = target;
    child->group = place_of(node);
    return reader_text(reader, node, &child->declaration.group);
}

READER(read_health, manifest_read_health(reader, node, d))
READER(read_fatal_exit_codes, read_exit_codes(reader, node, &d->fatal_exit_codes))
READER(read_success_exit_codes, read_exit_codes(reader, node, &d->success_exit_codes))
READER(read_reload_signal, read_signal(reader, node, &d->process.reload_signal))
READER(read_run_timeout, reader_deadline(reader, node, &d->run_timeout_usec))
READER(read_start_timeout, reader_deadline(reader, node, &d->start_timeout_usec))
READER(read_schedule, manifest_read_schedule(reader, node, d))
READER(read_restart_dependents, reader_bool(reader, node, &d->restart_dependents))
READER(read_autostart, reader_bool(reader, node, &d->autostart))
READER(read_description, reader_line(reader, node, DESCRIPTION_MAX, &d->description))
READER(read_tags, reader_words(reader, node, TAGS_MAX, &d->tags, &d->n_tags))
WORD_READER(read_restart, restart, {"permanent", RESTART_PERMANENT},
            {"transient", RESTART_TRANSIENT}, {"temporary", RESTART_TEMPORARY})
WORD_READER(read_on_success, on_success, {"nothing", ON_END_NOTHING},
            {"shutdown-tree", ON_END_SHUTDOWN_TREE})
WORD_READER(read_on_give_up, on_give_up, {"nothing", ON_END_NOTHING},
            {"shutdown-tree", ON_END_SHUTDOWN_TREE})
WORD_READER(read_same_name, same_name, {"reject", SAME_NAME_REJECT}, {"queue", SAME_NAME_QUEUE},
            {"replace", SAME_NAME_REPLACE})
WORD_READER(read_readiness, readiness, {"explicit", READINESS_EXPLICIT}, {"check", READINESS_CHECK},
            {"exit", READINESS_EXIT}, {"immediate", READINESS_IMMEDIATE})
WORD_READER(read_criticality, criticality, {"critical", CRITICALITY_CRITICAL},
            {"optional", CRITICALITY_OPTIONAL})

static const struct key child_keys[] = {
    {"name", read_name},
    {"description", read_description},
    {"kind", read_kind},
    {"exec", read_exec},
    {"arguments", read_arguments},
    {"supervisor", read_supervisor},
    {"restart", read_restart},
    {"restart_limit", read_restart_limit},
    {"backoff", read_backoff},
    {"fatal_exit_codes", read_fatal_exit_codes},
    {"success_exit_codes", read_success_exit_codes},
    {"on_success", read_on_success},
    {"on_give_up", read_on_give_up},
    {"restart_dependents", read_restart_dependents},
    {"stop", read_stop},
    {"leftovers", read_leftovers},
    {"reload_signal", read_reload_signal},
    {"readiness", read_readiness},
    {"start_timeout", read_start_timeout},
    {"run_timeout", read_run_timeout},
    {"heartbeat", read_heartbeat},
    {"requires", read_requires},
    {"after", read_after},
    {"criticality", read_criticality},
    {"group", read_group},
    {"tags", read_tags},
    {"health_check", read_health},
    {"primary", read_primary},
    {"order", read_sidecar_order},
    {"autostart", read_autostart},
    {"same_name", read_same_name},
    {"schedule", read_schedule},
    {.more = process_keys},
};

static enum child_role role_of(const struct node *node)
{
    const struct node *kind = node_find(node, "kind");

    if (kind && kind->kind == NODE_SCALAR)
        for (const struct word *word = kinds; word->word; word++)
            if (strcmp(word->word, kind->text) == 0)
                return (enum child_role)word->value;
    return ROLE_WORKER;
}

/* The kind is looked up first, as it determines the defaults that everything
 * else replaces. */
int child_manifest_read(struct reader *reader, const struct node *node, const char *above,
                        struct parsed_child *child)
{
    child->above = above;
    declaration_defaults(&child->declaration, role_of(node));
    int r = reader_mapping(reader, node, child_keys, child);
    if (r < 0)
        return r;
    if (!child->declaration.id)
        return reader_refuse(reader, node, "name is missing");
    r = append_arguments(reader, child);
    if (r == 0)
        r = manifest_apply_role(reader, node, &child->declaration);
    if (r == 0)
        r = manifest_check_sandbox(reader, node, &child->declaration);
    if (r < 0)
        return r;
    child->declaration.id =
        manifest_path_below(reader, child->above ? child->above : "", child->declaration.id);
    if (!child->declaration.id)
        return -ENOMEM;
    if (!child_id_valid(child->declaration.id))
        return reader_refuse(reader, node, "\"%.80s\" is more than 8 levels deep",
                             child->declaration.id);
    return 0;
}

int manifest_read_child(struct reader *reader, const struct node *node, const char *above,
                        struct child_declaration *declaration)
{
    INVARIANT(declaration);
    struct parsed_child child = {};
    int r = child_manifest_read(reader, node, above, &child);

    *declaration = child.declaration;
    return r;
}
