/*
 * Declarations in an archive: each byte of each member is given another value, written and read;
 * what comes back has that value, and all else is as it was. sim/records.py checks that each member
 * of these records is in a table here.
 */
#include "../named.h"
#include "core/model/archive.h"
#include "core/model/declaration.h"
#include "core/model/declaration_archive.h"
#include "core/model/restart_limit.h"

#include <glib.h>
#include <string.h>

#define SIZE       8192
#define CHARACTERS 3

static uint8_t bytes[SIZE];

static void *allocate(struct archive *archive, size_t size)
{
    void *fresh = g_malloc0(size);

    g_ptr_array_add(archive->userdata, fresh);
    return fresh;
}

/* A declaration with all that one can have, and what it points to. */
struct whole {
    struct child_declaration d;
    struct socket_spec sockets[2];
    struct process_limit limits[PROCESS_LIMITS];
    uint64_t affinity[AFFINITY_WORDS];
    struct sandbox_spec sandbox;
    const char *paths[3];
    struct health_spec health;
    const char *requires[2], *after[2], *tags[2];
    const char *arguments[3], *groups[2], *environment[3], *check[2], *before[2];
    const char *directories[3];
    struct command_spec commands[2], asides[2];
    const char *aside[2];
};

static void fill(struct whole *w)
{
    *w = (struct whole){.requires = {"a", "b"},
                        .after = {"c", "d"},
                        .tags = {"x", "y"},
                        .arguments = {"/bin/true", "-v"},
                        .groups = {"audio"},
                        .environment = {"A=1", "B=2"},
                        .check = {"/bin/check"},
                        .before = {"/bin/before"},
                        .directories = {"web", "web/tmp"},
                        .paths = {"r/srv", "w-/srv/data"}};
    declaration_defaults(&w->d, ROLE_WORKER);
    w->d.id = "a/child";
    w->d.description = "a child";
    w->d.requires = w->requires;
    w->d.after = w->after;
    w->d.tags = w->tags;
    w->d.n_requires = w->d.n_after = w->d.n_tags = 2;
    w->d.group = "group";
    w->d.manifest = "a manifest, with a secret in it";
    w->d.manifest_path = "/etc/manifest";
    w->d.secret_from = w->d.secret_length = 1;
    w->d.n_further_stops = 2;
    w->d.further_stops[0] = (struct stop_step){2, 7};
    w->d.further_stops[1] = (struct stop_step){3, 8};
    w->d.fatal_exit_codes = (struct exit_codes){{7, 9}, 2};
    w->d.success_exit_codes = (struct exit_codes){{1, 2}, 2};
    w->d.run_timeout_usec = 5;
    w->d.schedule = "daily";
    w->d.schedule_zone = "UTC0";
    w->d.process = (struct process_spec){.arguments = w->arguments,
                                         .working_directory = "/",
                                         .user = "user",
                                         .group = "users",
                                         .supplementary_groups = w->groups,
                                         .environment = w->environment,
                                         .environment_file = "/etc/default/x",
                                         .nice_set = true,
                                         .oom_score_adj_set = true,
                                         .umask_set = true,
                                         .limits = w->limits,
                                         .affinity = w->affinity,
                                         .sandbox = &w->sandbox,
                                         .output = {.kind = OUTPUT_FILE, .path = "/var/log/x"},
                                         .sockets = w->sockets,
                                         .n_sockets = 2,
                                         .health = &w->health,
                                         .before = {w->commands, 2},
                                         .reload = {w->asides, 2},
                                         .stop = {w->asides, 1},
                                         .after_start = {w->asides, 2},
                                         .after_stop = {w->asides, 2},
                                         .stop_signal = 15,
                                         .reload_signal = 1};
    w->sandbox = (struct sandbox_spec){.parts = {1, 1, 1, 1, 1, 1}, .paths = w->paths};
    for (int i = 0; i < DIRECTORY_KINDS; i++)
        w->d.process.directories[i] = (struct directory_list){w->directories, DIRECTORY_MODE};
    for (int i = 0; i < 2; i++)
        w->commands[i] = (struct command_spec){.arguments = w->before};
    w->aside[0] = "/bin/aside";
    for (int i = 0; i < 2; i++)
        w->asides[i] = (struct command_spec){.arguments = w->aside, .timeout_usec = 3};
    for (int i = 0; i < 2; i++)
        w->sockets[i] =
            (struct socket_spec){.name = "web", .listen = "127.0.0.1:1", .address_size = 16};
    w->health = (struct health_spec){.arguments = w->check,
                                     .target = {.listen = "/run/x", .address_size = 16}};
}

/* Where a member is. */
enum of { DECLARATION, SOCKET, LIMIT, TARGET, COMMAND };

static char *place(struct child_declaration *d, enum of of, size_t offset)
{
    switch (of) {
    case DECLARATION:
        return (char *)d + offset;
    case SOCKET:
        return (char *)(uintptr_t)&d->process.sockets[1] + offset;
    case LIMIT:
        return (char *)(uintptr_t)&d->process.limits[3] + offset;
    case COMMAND:
        return (char *)(uintptr_t)&d->process.before.commands[1] + offset;
    case TARGET:
        return (char *)(uintptr_t)&d->process.health->target + offset;
    }
    g_assert_not_reached();
}

/* ---- numbers --------------------------------------------------------------------------------- */

static const struct number {
    enum of of;
    const char *name;
    size_t offset, size;
    int64_t least;
    uint64_t most;
} numbers[] = {
#define ANY UINT64_MAX
#define NUMBER_IN(of, type, member, least, most)                                                   \
    {of, #member, offsetof(struct type, member), sizeof(((struct type *)0)->member), least, most},
#define NUMBER(member, most)  NUMBER_IN(DECLARATION, child_declaration, member, 0, most)
#define PROCESS(member, most) NUMBER(process.member, most)
    /* clang-format off */
    NUMBER(role, ROLE_SIDECAR)
    NUMBER(sidecar_order, SIDECAR_WITH)
    NUMBER(criticality, CRITICALITY_OPTIONAL)
    NUMBER(on_success, 1)
    NUMBER(on_give_up, 1)
    NUMBER(restart_dependents, 1)
    NUMBER(restart, RESTART_TEMPORARY)
    NUMBER(autostart, 1)
    NUMBER(has_process, 1)
    NUMBER(burst, RESTART_LIMIT_BURST_MAX)
    NUMBER(interval_usec, ANY)
    NUMBER(on_limit, ON_LIMIT_SHUTDOWN_TREE)
    NUMBER(backoff.initial_usec, ANY)
    NUMBER(backoff.max_usec, ANY)
    NUMBER(backoff.factor_milli, UINT32_MAX)
    NUMBER(backoff.ratio_milli, UINT32_MAX)
    NUMBER(backoff.jitter, JITTER_DECORRELATED)
    NUMBER(backoff.reset_after_usec, ANY)
    NUMBER(fatal_exit_codes.codes[0], 255)
    NUMBER(fatal_exit_codes.codes[1], 255)
    NUMBER(fatal_exit_codes.count, 2)
    NUMBER(success_exit_codes.codes[0], 255)
    NUMBER(success_exit_codes.codes[1], 255)
    NUMBER(success_exit_codes.count, 2)
    NUMBER(stop_timeout_usec, ANY)
    NUMBER(further_stops[0].signal, 64)
    NUMBER(further_stops[0].usec, ANY)
    NUMBER(further_stops[1].signal, 64)
    NUMBER(further_stops[1].usec, ANY)
    NUMBER(n_further_stops, 2)
    NUMBER(abort_timeout_usec, ANY)
    NUMBER(timeout_action, TIMEOUT_REPORT)
    NUMBER(leftovers, LEFTOVERS_KEEP)
    NUMBER(readiness, READINESS_CHECK)
    NUMBER(start_timeout_usec, ANY)
    NUMBER(run_timeout_usec, ANY)
    NUMBER(heartbeat_usec, ANY)
    NUMBER(stale_after_usec, ANY)
    NUMBER(on_stale, ON_STALE_RESTART)
    NUMBER(heartbeat_required, 1)
    NUMBER(health_usec, ANY)
    NUMBER(health_timeout_usec, ANY)
    NUMBER(health_retries, UINT32_MAX)
    NUMBER(on_unhealthy, ON_STALE_RESTART)
    NUMBER(same_name, SAME_NAME_REPLACE)
    NUMBER(secret_from, 20)
    NUMBER(secret_length, 20)
    NUMBER(schedule_delay_usec, ANY)
    NUMBER(schedule_persistent, 1)
    NUMBER(schedule_overlap, OVERLAP_REPLACE)
    NUMBER(owner, UINT32_MAX)
    PROCESS(capabilities, ANY)
    PROCESS(capabilities_set, 1)
    PROCESS(no_new_privileges, 1)
    PROCESS(umask, UINT32_MAX)
    PROCESS(umask_set, 1)
    NUMBER_IN(DECLARATION, child_declaration, process.nice, INT32_MIN, INT32_MAX)
    NUMBER_IN(DECLARATION, child_declaration, process.oom_score_adj, OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX)
    PROCESS(ignore_sigpipe, 1)
    PROCESS(memory_max, ANY)
    PROCESS(pids_max, ANY)
    PROCESS(cpu_weight, UINT32_MAX)
    PROCESS(memory_high, ANY)
    PROCESS(cpu_max_usec, ANY)
    PROCESS(io_weight, UINT32_MAX)
    PROCESS(output.kind, OUTPUT_FILE)
    PROCESS(output.max_size_bytes, ANY)
    PROCESS(output.keep, UINT32_MAX)
    PROCESS(fd_store_max, FD_STORE_MAX)
    PROCESS(kill_group, 1)
    PROCESS(stop_signal, 64)
    PROCESS(reload_signal, 64)
    NUMBER_IN(SOCKET, socket_spec, datagram, 0, 1)
    NUMBER_IN(SOCKET, socket_spec, mode, 0, UINT32_MAX)
    NUMBER_IN(SOCKET, socket_spec, address_size, 0, 16)
    NUMBER_IN(SOCKET, socket_spec, address[0], 0, 255)
    NUMBER_IN(SOCKET, socket_spec, address[15], 0, 255)
    NUMBER_IN(TARGET, socket_spec, datagram, 0, 1)
    NUMBER_IN(TARGET, socket_spec, mode, 0, UINT32_MAX)
    NUMBER_IN(TARGET, socket_spec, address [7], 0, 255)
    NUMBER_IN(LIMIT, process_limit, set, 0, 1)
    NUMBER_IN(LIMIT, process_limit, soft, 0, ANY)
    NUMBER_IN(LIMIT, process_limit, hard, 0, ANY)
    NUMBER_IN(COMMAND, command_spec, timeout_usec, 0, ANY)
    NUMBER_IN(COMMAND, command_spec, may_fail, 0, 1)
    /* clang-format on */
};

static uint64_t value_of(struct child_declaration *d, const struct number *number)
{
    uint64_t value = 0;

    memcpy(&value, place(d, number->of, number->offset), number->size);
    return value;
}

static bool is_possible(const struct number *number, uint64_t value)
{
    if (number->least < 0)
        return (int32_t)value >= number->least && (int32_t)value <= (int64_t)number->most;
    return value <= number->most;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static const struct text {
    enum of of;
    const char *name;
    size_t offset;
} texts[] = {
#define TEXT_IN(of, type, member) {of, #member, offsetof(struct type, member)},
#define TEXT(member)              TEXT_IN(DECLARATION, child_declaration, member)
    TEXT(id) TEXT(description) TEXT(group) TEXT(schedule) TEXT(schedule_zone) TEXT(manifest)
        TEXT(manifest_path) TEXT(process.working_directory) TEXT(process.user) TEXT(process.group)
            TEXT(process.environment_file) TEXT(process.output.path)
                TEXT_IN(SOCKET, socket_spec, name) TEXT_IN(SOCKET, socket_spec, listen)
                    TEXT_IN(TARGET, socket_spec, listen)};

static const char **text_of(struct child_declaration *d, const struct text *text)
{
    return (const char **)(void *)place(d, text->of, text->offset);
}

/* Lists: all of one, with its end or its length. */
static const struct list {
    const char *name;
    size_t offset, length; /* offset of its length; 0: it ends with NULL */
} lists[] = {
#define LIST(member) {#member, offsetof(struct child_declaration, member), 0},
#define COUNTED(member, n)                                                                         \
    {#member, offsetof(struct child_declaration, member), offsetof(struct child_declaration, n)},
    COUNTED(requires, n_requires) COUNTED(after, n_after) COUNTED(tags, n_tags)
        LIST(process.arguments) LIST(process.supplementary_groups) LIST(process.environment)};

static const char **list_of(struct child_declaration *d, const struct list *list)
{
    return *(const char ***)(void *)place(d, DECLARATION, list->offset);
}

static size_t length_of(struct child_declaration *d, const struct list *list)
{
    const char **strings = list_of(d, list);
    size_t n = 0;

    if (list->length > 0)
        return *(size_t *)(void *)place(d, DECLARATION, list->length);
    while (strings[n])
        n++;
    return n;
}

/* ---- the same? ------------------------------------------------------------------------------- */

/* Under a limit on how many there are, the others are not written. */
static bool is_written(struct child_declaration *d, const struct number *number)
{
    if (g_str_has_prefix(number->name, "fatal_exit_codes.codes"))
        return number->name[23] - '0' < d->fatal_exit_codes.count;
    if (g_str_has_prefix(number->name, "success_exit_codes.codes"))
        return number->name[25] - '0' < d->success_exit_codes.count;
    if (g_str_has_prefix(number->name, "further_stops"))
        return (uint32_t)(number->name[14] - '0') < d->n_further_stops;
    if (g_str_has_prefix(number->name, "address["))
        return number->of == TARGET ||
               (uint32_t)atoi(number->name + 8) < d->process.sockets[1].address_size;
    return true;
}

static void compare_commands(const struct command_list *wrote, const struct command_list *read)
{
    g_assert_cmpuint(wrote->count, ==, read->count);
    for (size_t i = 0; i < wrote->count; i++) {
        g_assert_true(g_strv_equal(wrote->commands[i].arguments, read->commands[i].arguments));
        g_assert_cmpuint(wrote->commands[i].timeout_usec, ==, read->commands[i].timeout_usec);
        g_assert_true(wrote->commands[i].may_fail == read->commands[i].may_fail);
    }
}

static void check_lists(struct child_declaration *wrote, struct child_declaration *read,
                        const char *what)
{
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        size_t n = length_of(wrote, &lists[i]);
        if (length_of(read, &lists[i]) != n)
            g_error("%s: %s has another length", what, lists[i].name);
        for (size_t k = 0; k < n; k++)
            if (strcmp(list_of(wrote, &lists[i])[k], list_of(read, &lists[i])[k]) != 0)
                g_error("%s: %s is another one", what, lists[i].name);
    }
    g_assert_cmpstr(wrote->process.health->arguments[0], ==, read->process.health->arguments[0]);
    g_assert_cmpuint(wrote->process.n_sockets, ==, read->process.n_sockets);
    for (int i = 0; i < DIRECTORY_KINDS; i++) {
        g_assert_true(
            g_strv_equal(wrote->process.directories[i].names, read->process.directories[i].names));
        g_assert_cmpuint(wrote->process.directories[i].mode, ==, read->process.directories[i].mode);
    }
    g_assert_cmpmem(wrote->process.affinity, sizeof(uint64_t) * AFFINITY_WORDS,
                    read->process.affinity, sizeof(uint64_t) * AFFINITY_WORDS);
    compare_commands(&wrote->process.before, &read->process.before);
    compare_commands(&wrote->process.reload, &read->process.reload);
    compare_commands(&wrote->process.stop, &read->process.stop);
    compare_commands(&wrote->process.after_start, &read->process.after_start);
    compare_commands(&wrote->process.after_stop, &read->process.after_stop);
    g_assert_cmpmem(wrote->process.sandbox->parts, SANDBOX_PARTS, read->process.sandbox->parts,
                    SANDBOX_PARTS);
    g_assert_true(g_strv_equal(wrote->process.sandbox->paths, read->process.sandbox->paths));
}

/* Writes it, reads it, and compares everything. */
static void check(struct child_declaration *wrote, const char *what)
{
    g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
    struct archive writer = {.data = bytes, .size = SIZE};
    struct child_declaration read = {};

    declaration_archive(&writer, wrote);
    struct archive reader = {.reading = true,
                             .data = bytes,
                             .size = writer.used,
                             .allocate = allocate,
                             .userdata = memory};
    declaration_archive(&reader, &read);
    if (writer.failed || reader.failed || reader.used != writer.used)
        g_error("%s: cannot be written or read", what);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (is_written(wrote, &numbers[i]) &&
            value_of(wrote, &numbers[i]) != value_of(&read, &numbers[i]))
            g_error("%s: %s comes back as %" G_GUINT64_FORMAT, what, numbers[i].name,
                    value_of(&read, &numbers[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        if (strcmp(*text_of(wrote, &texts[i]), *text_of(&read, &texts[i])) != 0)
            g_error("%s: %s comes back as %s", what, texts[i].name, *text_of(&read, &texts[i]));
    check_lists(wrote, &read, what);
}

/* ---- each in turn ---------------------------------------------------------------------------- */

/* Each bit that the member may have, each byte by itself. */
static void each_byte_of_a_number_comes_back(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        unsigned changed = 0;
        for (size_t bit = 0; bit < numbers[i].size * 8; bit++) {
            struct whole w;
            fill(&w);
            uint64_t value = value_of(&w.d, &numbers[i]) ^ UINT64_C(1) << bit;
            if (!is_possible(&numbers[i], value) ||
                (numbers[i].size < 8 && value >> (numbers[i].size * 8)))
                continue;
            memcpy(place(&w.d, numbers[i].of, numbers[i].offset), &value, numbers[i].size);
            if (numbers[i].size == 8 && value == UINT64_MAX)
                continue;
            check(&w.d, numbers[i].name);
            changed++;
        }
        if (changed == 0)
            g_error("%s never had another value", numbers[i].name);
    }
}

static void each_text_comes_back(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        for (int k = 0; k < CHARACTERS; k++) {
            static const char *const others[CHARACTERS] = {"other", "b",
                                                           "another-text-that-is-long"};
            struct whole w;
            fill(&w);
            *text_of(&w.d, &texts[i]) = others[k];
            if (strcmp(texts[i].name, "manifest") == 0)
                w.d.secret_from = w.d.secret_length = 0;
            check(&w.d, texts[i].name);
        }
}

static void each_element_of_a_list_comes_back(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        for (size_t k = 0; k < 2; k++) {
            struct whole w;
            fill(&w);
            if (k < length_of(&w.d, &lists[i]))
                list_of(&w.d, &lists[i])[k] = "another";
            check(&w.d, lists[i].name);
        }
    struct whole w;
    fill(&w);
    w.check[0] = "/bin/another";
    check(&w.d, "health.arguments");
    w.before[0] = "/bin/later";
    check(&w.d, "before.arguments");
    w.aside[0] = "/bin/another";
    check(&w.d, "reload.arguments");
    w.d.process.stop.count = 0;
    check(&w.d, "stop.commands");
    w.d.process.reload.count = 1;
    check(&w.d, "reload");
    w.d.process.after_start.count = 1;
    check(&w.d, "after_start");
    w.asides[1].may_fail = true;
    check(&w.d, "after_stop.may_fail");
    w.directories[1] = "web/other";
    check(&w.d, "directories.names");
    w.d.process.directories[DIRECTORY_CACHE].mode = 0700;
    check(&w.d, "directories.mode");
    w.affinity[0] = 5;
    w.affinity[AFFINITY_WORDS - 1] = UINT64_MAX;
    check(&w.d, "affinity");
    w.paths[1] = "n/home/other";
    check(&w.d, "sandbox.paths");
    for (enum sandbox_part part = 0; part < SANDBOX_PARTS; part++) {
        w.sandbox.parts[part] = 0;
        check(&w.d, "sandbox");
    }
}

/* ---- supervisors ----------------------------------------------------------------------------- */

static const struct member {
    const char *name;
    bool of_group;
    size_t offset, size;
    uint64_t most;
} members[] = {
#define MEMBER(member, most)                                                                       \
    {#member, false, offsetof(struct supervisor_declaration, member),                              \
     sizeof(((struct supervisor_declaration *)0)->member), most},
#define OF_GROUP(member, most)                                                                     \
    {#member, true, offsetof(struct group_declaration, member),                                    \
     sizeof(((struct group_declaration *)0)->member), most},
    MEMBER(strategy, STRATEGY_REST_FOR_ONE) MEMBER(escalation, ESCALATION_SHUTDOWN_TREE)
        MEMBER(limited, 1) MEMBER(burst, RESTART_LIMIT_BURST_MAX) MEMBER(interval_usec, ANY)
            MEMBER(max_restarts_in_flight, UINT32_MAX) MEMBER(position, ANY)
                OF_GROUP(strategy, STRATEGY_REST_FOR_ONE) OF_GROUP(limited, 1)
                    OF_GROUP(burst, RESTART_LIMIT_BURST_MAX) OF_GROUP(interval_usec, ANY)
                        OF_GROUP(budget_restarts, UINT32_MAX) OF_GROUP(budget_usec, ANY)};

static void *member_in(struct supervisor_declaration *d, const struct member *member)
{
    return member->of_group ? (char *)(uintptr_t)&d->groups[1] + member->offset
                            : (char *)d + member->offset;
}

static void check_supervisor(struct supervisor_declaration *wrote, const char *what)
{
    g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
    struct archive writer = {.data = bytes, .size = SIZE};
    struct supervisor_declaration read = {};

    supervisor_declaration_archive(&writer, wrote);
    struct archive reader = {.reading = true,
                             .data = bytes,
                             .size = writer.used,
                             .allocate = allocate,
                             .userdata = memory};
    supervisor_declaration_archive(&reader, &read);
    if (writer.failed || reader.failed)
        g_error("%s: cannot be written or read", what);
    g_assert_cmpstr(wrote->path, ==, read.path);
    g_assert_cmpstr(wrote->manifest, ==, read.manifest);
    g_assert_cmpstr(wrote->manifest_path, ==, read.manifest_path);
    g_assert_cmpuint(wrote->n_groups, ==, read.n_groups);
    for (size_t g = 0; g < wrote->n_groups; g++)
        g_assert_cmpstr(wrote->groups[g].name, ==, read.groups[g].name);
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        if (memcmp(member_in(wrote, &members[i]), member_in(&read, &members[i]), members[i].size) !=
            0)
            g_error("%s: %s comes back as another one", what, members[i].name);
}

static void each_byte_of_a_supervisor_comes_back(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        for (size_t bit = 0; bit < members[i].size * 8; bit++) {
            struct group_declaration groups[2] = {{.name = "first"}, {.name = "second"}};
            struct supervisor_declaration d = {.path = "a/b",
                                               .manifest = "text",
                                               .manifest_path = "/etc/x",
                                               .groups = groups,
                                               .n_groups = 2};
            uint64_t value = UINT64_C(1) << bit;
            if (value > members[i].most)
                continue;
            memcpy(member_in(&d, &members[i]), &value, members[i].size);
            check_supervisor(&d, members[i].name);
        }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/declaration", each_byte_of_a_number_comes_back);
    TEST("/declaration", each_text_comes_back);
    TEST("/declaration", each_element_of_a_list_comes_back);
    TEST("/declaration", each_byte_of_a_supervisor_comes_back);
    return g_test_run();
}
