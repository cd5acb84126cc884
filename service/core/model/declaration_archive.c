/*
 * A declaration as bytes: in checkpoints, in the record of an input, and for
 * comparison. Each key is a row of a table with the function that writes it;
 * comparing two declarations writes the same row of both and compares the
 * bytes, so a key that is written can never be forgotten in a reload.
 *
 * Keys that came after the format was released share numbers with older ones: a
 * number that was 0 or 1 has got further bits, each of which says that
 * something follows.
 */
#include "core/model/declaration_archive.h"

#include "core/model/archive.h"
#include "core/model/backoff.h"
#include "core/model/commands.h"
#include "core/model/declaration.h"
#include "core/model/declaration_keys.h"
#include "core/model/input_archive.h"
#include "core/model/later_keys.h"
#include "core/model/process_spec.h"
#include "core/model/resource.h"
#include "core/model/sandbox.h"
#include "core/model/restart_limit.h"
#include "core/vocabulary/invariant.h"

#include <string.h>

#define PROCESS_SIGNAL_MAX 64

/* Declarations stand in journals and in checkpoints; some of these share a number there. */
_Static_assert(ROLE_SIDECAR == 3 && SIDECAR_WITH == 1, "archive_role() has two bits and one");
_Static_assert(TIMEOUT_REPORT == 1 && LEFTOVERS_KEEP == 2, "archive_stop() has one bit and two");
_Static_assert(ON_END_SHUTDOWN_TREE == 1, "archive_criticality() has one bit for each");
_Static_assert(CRITICALITY_OPTIONAL == 1 && RESTART_TEMPORARY == 2 && ON_LIMIT_SHUTDOWN_TREE == 4,
               "when it is restarted");
_Static_assert(JITTER_DECORRELATED == 3 && READINESS_CHECK == 4 && ON_STALE_RESTART == 1,
               "how it is watched");
_Static_assert(STRATEGY_REST_FOR_ONE == 2 && ESCALATION_SHUTDOWN_TREE == 2, "of a supervisor");
_Static_assert(OUTPUT_RAW == 4 && PROCESS_LIMITS == 16 && SAME_NAME_REPLACE == 2, "of a process");
_Static_assert(OVERLAP_REPLACE == 2, "of a schedule");

static void archive_socket(struct archive *a, struct socket_spec *socket)
{
    archive_string(a, &socket->name);
    archive_string(a, &socket->listen);
    ARCHIVE(a, socket->datagram);
    ARCHIVE(a, socket->mode);
    ARCHIVE_WORD(a, socket->address_size, SOCKET_ADDRESS_MAX);
    archive_bytes(a, socket->address, socket->address_size);
}

static void *array(struct archive *a, const void *present, size_t count, size_t size)
{
    if (!a->reading)
        return (void *)(uintptr_t)present;
    if (a->failed || count == 0)
        return NULL;
    void *memory = a->allocate(a, count * size);
    a->failed = a->failed || !memory;
    return memory;
}

static void archive_sockets(struct archive *a, struct process_spec *spec)
{
    archive_count(a, &spec->n_sockets, SOCKETS_MAX);
    struct socket_spec *sockets = array(a, spec->sockets, spec->n_sockets, sizeof(*sockets));
    spec->sockets = sockets;
    for (size_t i = 0; !a->failed && i < spec->n_sockets; i++)
        archive_socket(a, &sockets[i]);
}

static void archive_health(struct archive *a, struct process_spec *spec)
{
    size_t there = spec->health != NULL;

    archive_count(a, &there, 1);
    struct health_spec *health = array(a, spec->health, there, sizeof(*health));
    spec->health = health;
    if (!health || a->failed)
        return;
    archive_strings(a, &health->arguments);
    archive_socket(a, &health->target);
}

/* What may be secret does not leave the daemon. */
static void archive_secret(struct archive *a, const char **string)
{
    const char *secret = *string;

    if (a->reading || !a->redact || !secret || !secret[0]) {
        archive_string(a, string);
        return;
    }
    const char *instead = a->redact(a->redactor, secret);
    a->failed = a->failed || !instead;
    archive_string(a, &instead);
}

/* The environment of a trace that leaves the machine: the number of entries
 * stays, as the layout depends on it, and the values go. */
static void archive_secrets(struct archive *a, const char ***strings)
{
    bool there = true;
    size_t count = 0;

    if (a->reading || !a->redact || !*strings) {
        archive_strings(a, strings);
        return;
    }
    while ((*strings)[count])
        count++;
    ARCHIVE(a, there);
    archive_count(a, &count, SIZE_MAX);
    for (size_t i = 0; i < count; i++)
        archive_secret(a, &(*strings)[i]);
}

static void archive_backoff(struct archive *a, struct backoff_settings *backoff)
{
    ARCHIVE(a, backoff->initial_usec);
    ARCHIVE(a, backoff->max_usec);
    ARCHIVE(a, backoff->factor_milli);
    ARCHIVE(a, backoff->ratio_milli);
    ARCHIVE_WORD(a, backoff->jitter, JITTER_DECORRELATED);
    ARCHIVE(a, backoff->reset_after_usec);
}

static void archive_codes(struct archive *a, struct exit_codes *codes)
{
    ARCHIVE_WORD(a, codes->count, EXIT_CODES_MAX);
    archive_bytes(a, codes->codes, codes->count);
}

static void archive_list(struct archive *a, const char ***list, size_t *count, size_t max)
{
    archive_count(a, count, max);
    *list = array(a, *list, *count, sizeof(**list));
    for (size_t i = 0; !a->failed && i < *count; i++)
        archive_string(a, &(*list)[i]);
    for (size_t i = 0; i < *count; i++) /* a list has no holes */
        if (a->failed || !(*list)[i]) {
            a->failed = true;
            *count = 0;
        }
}

/* A text that every declaration has. */
static void archive_required(struct archive *a, const char **text)
{
    archive_string(a, text);
    if (!*text) {
        a->failed = true;
        *text = "";
    }
}

/* What of the manifest is not shown; a text that was replaced has nothing to hide. */
static void archive_hidden(struct archive *a, struct child_declaration *d)
{
    bool replaced = !a->reading && a->redact;
    uint32_t from = replaced ? 0 : d->secret_from, length = replaced ? 0 : d->secret_length;

    ARCHIVE(a, from);
    ARCHIVE(a, length);
    if (!a->reading)
        return;
    if ((uint64_t)from + length > strlen(d->manifest))
        a->failed = true;
    d->secret_from = a->failed ? 0 : from;
    d->secret_length = a->failed ? 0 : length;
}

/* As in later_keys.h: what becomes of leftovers, and the further signals of a stop, came
 * later. */
static void archive_stop(struct archive *a, struct child_declaration *d)
{
    bool goes_on = d->n_further_stops > 0;
    unsigned words =
        (unsigned)d->timeout_action | (unsigned)d->leftovers << 1 | (unsigned)goes_on << 3;

    ARCHIVE_WORD(a, words, 15);
    if ((words >> 1 & 3) > LEFTOVERS_KEEP)
        a->failed = true;
    d->timeout_action = words & 1;
    d->leftovers = a->failed ? LEFTOVERS_WAIT : words >> 1 & 3;
    goes_on = words >> 3;
    if (!goes_on)
        return;
    ARCHIVE_WORD(a, d->n_further_stops, STOP_SIGNALS_MAX - 1);
    for (uint32_t i = 0; i < d->n_further_stops; i++) {
        ARCHIVE_WORD(a, d->further_stops[i].signal, PROCESS_SIGNAL_MAX);
        ARCHIVE(a, d->further_stops[i].usec);
    }
}

/* The same: how long it may run came later, and stands before the number that was there, with a
 * number that this could never be. */
static void archive_start_and_run(struct archive *a, struct child_declaration *d)
{
    uint64_t first = d->run_timeout_usec > 0 ? UINT64_MAX : d->start_timeout_usec;

    ARCHIVE(a, first);
    if (first != UINT64_MAX) {
        d->start_timeout_usec = first;
        return;
    }
    ARCHIVE(a, d->run_timeout_usec);
    ARCHIVE(a, d->start_timeout_usec);
}

/* The order of a sidecar came later, too. */
static void archive_role(struct archive *a, struct child_declaration *d)
{
    unsigned words = (unsigned)d->role | (unsigned)d->sidecar_order << 2;

    ARCHIVE_WORD(a, words, ROLE_SIDECAR | SIDECAR_WITH << 2);
    d->role = words & 3;
    d->sidecar_order = words >> 2;
}

/* What its end does to the tree, and its start to others, came later, too. */
static void archive_criticality(struct archive *a, struct child_declaration *d)
{
    unsigned words = (unsigned)d->criticality | (unsigned)d->on_success << 1 |
                     (unsigned)d->on_give_up << 2 | (unsigned)d->restart_dependents << 3;

    ARCHIVE_WORD(a, words, 15);
    d->criticality = words & 1;
    d->on_success = words >> 1 & 1;
    d->on_give_up = words >> 2 & 1;
    d->restart_dependents = words >> 3;
}

static void archive_schedule(struct archive *a, struct child_declaration *d)
{
    archive_string(a, &d->schedule);
    archive_string(a, &d->schedule_zone);
    ARCHIVE(a, d->schedule_delay_usec);
    ARCHIVE(a, d->schedule_persistent);
    ARCHIVE_WORD(a, d->schedule_overlap, OVERLAP_REPLACE);
}

#define HAS_SCHEDULE    4u
#define HAS_DESCRIPTION 8u

/* A schedule and a description came later: whether there is one stands in the bits above the other
 * word, so that what was written before they were known is still read. */
static void archive_same_name(struct archive *a, struct child_declaration *d)
{
    unsigned words = (unsigned)d->same_name | (d->schedule ? HAS_SCHEDULE : 0) |
                     (d->description ? HAS_DESCRIPTION : 0);

    ARCHIVE_WORD(a, words, HAS_DESCRIPTION | HAS_SCHEDULE | SAME_NAME_REPLACE);
    if (!a->failed && words & HAS_SCHEDULE)
        archive_schedule(a, d);
    if (a->reading && (words & HAS_SCHEDULE) && (!d->schedule || !d->schedule_zone))
        a->failed = true;
    if (!a->failed && words & HAS_DESCRIPTION)
        archive_string(a, &d->description);
    d->same_name = words & (HAS_SCHEDULE - 1);
    if (d->same_name > SAME_NAME_REPLACE)
        a->failed = true;
}

/* ---- by key ---------------------------------------------------------------------------------- */

#define FIELDS(name, ...)                                                                          \
    static void name(struct archive *a, struct child_declaration *d)                               \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

static void write_name(struct archive *a, struct child_declaration *d)
{
    archive_required(a, &d->id);
    if (a->reading && !child_id_valid(d->id))
        a->failed = true;
}

static void write_restart_limit(struct archive *a, struct child_declaration *d)
{
    ARCHIVE_WORD(a, d->burst, RESTART_LIMIT_BURST_MAX);
    ARCHIVE(a, d->interval_usec);
    ARCHIVE_WORD(a, d->on_limit, ON_LIMIT_SHUTDOWN_TREE);
}

static void write_stop_times(struct archive *a, struct child_declaration *d)
{
    ARCHIVE(a, d->stop_timeout_usec);
    ARCHIVE(a, d->abort_timeout_usec);
}

static void write_heartbeat(struct archive *a, struct child_declaration *d)
{
    ARCHIVE(a, d->heartbeat_usec);
    ARCHIVE(a, d->stale_after_usec);
    ARCHIVE_WORD(a, d->on_stale, ON_STALE_RESTART);
    ARCHIVE(a, d->heartbeat_required);
}

static void write_health_times(struct archive *a, struct child_declaration *d)
{
    ARCHIVE(a, d->health_usec);
    ARCHIVE(a, d->health_timeout_usec);
    ARCHIVE(a, d->health_retries);
    ARCHIVE_WORD(a, d->on_unhealthy, ON_STALE_RESTART);
}

static void write_capabilities(struct archive *a, struct child_declaration *d)
{
    ARCHIVE(a, d->process.capabilities);
    ARCHIVE(a, d->process.capabilities_set);
}

static void write_umask(struct archive *a, struct child_declaration *d)
{
    ARCHIVE(a, d->process.umask);
    ARCHIVE(a, d->process.umask_set);
}

static void write_output(struct archive *a, struct child_declaration *d)
{
    ARCHIVE_WORD(a, d->process.output.kind, OUTPUT_RAW);
    archive_string(a, &d->process.output.path);
    ARCHIVE(a, d->process.output.max_size_bytes);
    ARCHIVE(a, d->process.output.keep);
}

static void write_stop_signal(struct archive *a, struct child_declaration *d)
{
    ARCHIVE(a, d->process.kill_group);
    ARCHIVE_WORD(a, d->process.stop_signal, PROCESS_SIGNAL_MAX);
}

FIELDS(compare_kind, ARCHIVE(a, d->role))
FIELDS(compare_order, ARCHIVE(a, d->sidecar_order))
FIELDS(compare_criticality, ARCHIVE(a, d->criticality))
FIELDS(compare_on_success, ARCHIVE(a, d->on_success))
FIELDS(compare_on_give_up, ARCHIVE(a, d->on_give_up))
FIELDS(compare_restart_dependents, ARCHIVE(a, d->restart_dependents))
FIELDS(write_restart, ARCHIVE_WORD(a, d->restart, RESTART_TEMPORARY))
FIELDS(write_autostart, ARCHIVE(a, d->autostart))
FIELDS(write_has_process, ARCHIVE(a, d->has_process))
FIELDS(write_backoff, archive_backoff(a, &d->backoff))
FIELDS(write_fatal_exit_codes, archive_codes(a, &d->fatal_exit_codes))
FIELDS(write_success_exit_codes, archive_codes(a, &d->success_exit_codes))
FIELDS(write_readiness, ARCHIVE_WORD(a, d->readiness, READINESS_CHECK))
FIELDS(compare_start_timeout, ARCHIVE(a, d->start_timeout_usec))
FIELDS(compare_run_timeout, ARCHIVE(a, d->run_timeout_usec))
FIELDS(write_requires, archive_list(a, &d->requires, &d->n_requires, DEPENDENCIES_MAX))
FIELDS(write_after, archive_list(a, &d->after, &d->n_after, DEPENDENCIES_MAX))
FIELDS(write_tags, archive_list(a, &d->tags, &d->n_tags, TAGS_MAX))
FIELDS(write_group, archive_string(a, &d->group))
FIELDS(compare_same_name, ARCHIVE(a, d->same_name))
FIELDS(compare_schedule, archive_schedule(a, d))
FIELDS(compare_description, archive_string(a, &d->description))
FIELDS(write_arguments, archive_strings(a, &d->process.arguments))
FIELDS(write_working_directory, archive_string(a, &d->process.working_directory))
FIELDS(write_user, archive_string(a, &d->process.user))
FIELDS(write_unix_group, archive_string(a, &d->process.group))
FIELDS(write_supplementary_groups, archive_strings(a, &d->process.supplementary_groups))
FIELDS(write_environment, archive_secrets(a, &d->process.environment))
FIELDS(write_environment_file, archive_string(a, &d->process.environment_file))
FIELDS(write_no_new_privileges, ARCHIVE(a, d->process.no_new_privileges))
FIELDS(write_whole_limits, resource_archive_whole(a, &d->process))
FIELDS(write_nice, ARCHIVE(a, d->process.nice))
FIELDS(write_later_keys, later_keys_archive(a, &d->process))
FIELDS(write_limits, resource_archive_limits(a, &d->process))
FIELDS(compare_more_limits, resource_archive_more(a, &d->process))
FIELDS(compare_affinity, resource_archive_affinity(a, &d->process))
FIELDS(compare_sandbox, sandbox_archive(a, &d->process.sandbox))
FIELDS(write_sockets, archive_sockets(a, &d->process))
FIELDS(write_health, archive_health(a, &d->process))
FIELDS(write_reload_signal, ARCHIVE_WORD(a, d->process.reload_signal, PROCESS_SIGNAL_MAX))
FIELDS(compare_timeout_action, ARCHIVE(a, d->timeout_action))
FIELDS(compare_leftovers, ARCHIVE(a, d->leftovers))
FIELDS(compare_nice, ARCHIVE(a, d->process.nice_set))
FIELDS(compare_fd_store, ARCHIVE(a, d->process.fd_store_max))
FIELDS(compare_sigpipe, ARCHIVE(a, d->process.ignore_sigpipe))
FIELDS(compare_runtime,
       later_keys_archive_directories(a, &d->process.directories[DIRECTORY_RUNTIME]))
FIELDS(compare_state, later_keys_archive_directories(a, &d->process.directories[DIRECTORY_STATE]))
FIELDS(compare_logs, later_keys_archive_directories(a, &d->process.directories[DIRECTORY_LOGS]))
FIELDS(compare_cache, later_keys_archive_directories(a, &d->process.directories[DIRECTORY_CACHE]))
FIELDS(compare_before, commands_archive(a, &d->process.before))
FIELDS(compare_reload, commands_archive(a, &d->process.reload))
FIELDS(compare_stop_commands, commands_archive(a, &d->process.stop))
FIELDS(compare_after_start, commands_archive(a, &d->process.after_start))
FIELDS(compare_after_stop, commands_archive(a, &d->process.after_stop))

static void compare_further_stops(struct archive *a, struct child_declaration *d)
{
    ARCHIVE(a, d->n_further_stops);
    for (uint32_t i = 0; i < d->n_further_stops; i++) {
        ARCHIVE(a, d->further_stops[i].signal);
        ARCHIVE(a, d->further_stops[i].usec);
    }
}

static void compare_oom_score(struct archive *a, struct child_declaration *d)
{
    ARCHIVE(a, d->process.oom_score_adj_set);
    ARCHIVE(a, d->process.oom_score_adj);
}

static const struct {
    const char *name;
    enum key_class class;
} keys[DECLARATION_KEYS] = {
    [KEY_NAME] = {"name", KEY_IS_IDENTITY},
    [KEY_KIND] = {"kind", KEY_IN_PLACE},
    [KEY_SIDECAR_ORDER] = {"order", KEY_IN_PLACE},
    [KEY_CRITICALITY] = {"criticality", KEY_IN_PLACE},
    [KEY_RESTART] = {"restart", KEY_IN_PLACE},
    [KEY_ON_SUCCESS] = {"on_success", KEY_IN_PLACE},
    [KEY_ON_GIVE_UP] = {"on_give_up", KEY_IN_PLACE},
    [KEY_RESTART_DEPENDENTS] = {"restart_dependents", KEY_IN_PLACE},
    [KEY_AUTOSTART] = {"autostart", KEY_IN_PLACE},
    [KEY_RESTART_LIMIT] = {"restart_limit", KEY_IN_PLACE},
    [KEY_BACKOFF] = {"backoff", KEY_IN_PLACE},
    [KEY_FATAL_EXIT_CODES] = {"fatal_exit_codes", KEY_IN_PLACE},
    [KEY_SUCCESS_EXIT_CODES] = {"success_exit_codes", KEY_IN_PLACE},
    [KEY_STOP] = {"stop", KEY_IN_PLACE},
    [KEY_READINESS] = {"readiness", KEY_IN_PLACE},
    [KEY_START_TIMEOUT] = {"start_timeout", KEY_IN_PLACE},
    [KEY_RUN_TIMEOUT] = {"run_timeout", KEY_IN_PLACE},
    [KEY_HEARTBEAT] = {"heartbeat", KEY_IN_PLACE},
    [KEY_HEALTH_CHECK] = {"health_check", KEY_IN_PLACE},
    [KEY_REQUIRES] = {"requires", KEY_IN_PLACE},
    [KEY_AFTER] = {"after", KEY_IN_PLACE},
    [KEY_TAGS] = {"tags", KEY_IN_PLACE},
    [KEY_GROUP] = {"group", KEY_IN_PLACE},
    [KEY_SAME_NAME] = {"same_name", KEY_IN_PLACE},
    [KEY_SCHEDULE] = {"schedule", KEY_IN_PLACE},
    [KEY_DESCRIPTION] = {"description", KEY_IN_PLACE},
    [KEY_RELOAD_SIGNAL] = {"reload_signal", KEY_IN_PLACE},
    [KEY_EXEC] = {"exec", KEY_OF_PROCESS},
    [KEY_LEFTOVERS] = {"leftovers", KEY_OF_PROCESS},
    [KEY_FD_STORE_MAX] = {"fd_store_max", KEY_OF_PROCESS},
    [KEY_WORKING_DIRECTORY] = {"working_directory", KEY_OF_PROCESS},
    [KEY_USER] = {"user", KEY_OF_PROCESS},
    [KEY_UNIX_GROUP] = {"unix_group", KEY_OF_PROCESS},
    [KEY_SUPPLEMENTARY_GROUPS] = {"supplementary_groups", KEY_OF_PROCESS},
    [KEY_ENVIRONMENT] = {"environment", KEY_OF_PROCESS},
    [KEY_ENVIRONMENT_FILE] = {"environment_file", KEY_OF_PROCESS},
    [KEY_CAPABILITIES] = {"capabilities", KEY_OF_PROCESS},
    [KEY_NO_NEW_PRIVILEGES] = {"no_new_privileges", KEY_OF_PROCESS},
    [KEY_UMASK] = {"umask", KEY_OF_PROCESS},
    [KEY_NICE] = {"nice", KEY_OF_PROCESS},
    [KEY_OOM_SCORE_ADJ] = {"oom_score_adj", KEY_OF_PROCESS},
    [KEY_IGNORE_SIGPIPE] = {"ignore_sigpipe", KEY_OF_PROCESS},
    [KEY_LIMITS] = {"limits", KEY_OF_PROCESS},
    [KEY_CPU_AFFINITY] = {"cpu_affinity", KEY_OF_PROCESS},
    [KEY_SANDBOX] = {"sandbox", KEY_OF_PROCESS},
    [KEY_STDOUT] = {"stdout", KEY_OF_PROCESS},
    [KEY_SOCKETS] = {"sockets", KEY_OF_PROCESS},
    [KEY_BEFORE] = {"before", KEY_OF_PROCESS},
    [KEY_AFTER_START] = {"after_start", KEY_OF_PROCESS},
    [KEY_RELOAD] = {"reload", KEY_IN_PLACE},
    [KEY_AFTER_STOP] = {"after_stop", KEY_IN_PLACE},
    [KEY_RUNTIME_DIRECTORY] = {"runtime_directory", KEY_OF_PROCESS},
    [KEY_STATE_DIRECTORY] = {"state_directory", KEY_OF_PROCESS},
    [KEY_LOGS_DIRECTORY] = {"logs_directory", KEY_OF_PROCESS},
    [KEY_CACHE_DIRECTORY] = {"cache_directory", KEY_OF_PROCESS},
};

/* Some fields stand for several keys on disk: they are written together, and compared apart. */
enum row_use { ROW_BOTH, ROW_WRITTEN, ROW_COMPARED };

/* In the order in which they are written. */
static const struct row {
    void (*write)(struct archive *a, struct child_declaration *d);
    enum declaration_key key;
    enum row_use use;
} rows[] = {
    {write_name, KEY_NAME, ROW_BOTH},
    {archive_role, KEY_KIND, ROW_WRITTEN},
    {compare_kind, KEY_KIND, ROW_COMPARED},
    {compare_order, KEY_SIDECAR_ORDER, ROW_COMPARED},
    {archive_criticality, KEY_CRITICALITY, ROW_WRITTEN},
    {compare_criticality, KEY_CRITICALITY, ROW_COMPARED},
    {compare_on_success, KEY_ON_SUCCESS, ROW_COMPARED},
    {compare_on_give_up, KEY_ON_GIVE_UP, ROW_COMPARED},
    {compare_restart_dependents, KEY_RESTART_DEPENDENTS, ROW_COMPARED},
    {write_restart, KEY_RESTART, ROW_BOTH},
    {write_autostart, KEY_AUTOSTART, ROW_BOTH},
    {write_has_process, KEY_EXEC, ROW_BOTH},
    {write_restart_limit, KEY_RESTART_LIMIT, ROW_BOTH},
    {write_backoff, KEY_BACKOFF, ROW_BOTH},
    {write_fatal_exit_codes, KEY_FATAL_EXIT_CODES, ROW_BOTH},
    {write_success_exit_codes, KEY_SUCCESS_EXIT_CODES, ROW_BOTH},
    {write_stop_times, KEY_STOP, ROW_BOTH},
    {archive_stop, KEY_STOP, ROW_WRITTEN},
    {compare_further_stops, KEY_STOP, ROW_COMPARED},
    {compare_timeout_action, KEY_STOP, ROW_COMPARED},
    {compare_leftovers, KEY_LEFTOVERS, ROW_COMPARED},
    {write_readiness, KEY_READINESS, ROW_BOTH},
    {archive_start_and_run, KEY_START_TIMEOUT, ROW_WRITTEN},
    {compare_start_timeout, KEY_START_TIMEOUT, ROW_COMPARED},
    {compare_run_timeout, KEY_RUN_TIMEOUT, ROW_COMPARED},
    {write_heartbeat, KEY_HEARTBEAT, ROW_BOTH},
    {write_health_times, KEY_HEALTH_CHECK, ROW_BOTH},
    {write_requires, KEY_REQUIRES, ROW_BOTH},
    {write_after, KEY_AFTER, ROW_BOTH},
    {write_tags, KEY_TAGS, ROW_BOTH},
    {write_group, KEY_GROUP, ROW_BOTH},
    {archive_same_name, KEY_SAME_NAME, ROW_WRITTEN},
    {compare_same_name, KEY_SAME_NAME, ROW_COMPARED},
    {compare_schedule, KEY_SCHEDULE, ROW_COMPARED},
    {compare_description, KEY_DESCRIPTION, ROW_COMPARED},
    {write_arguments, KEY_EXEC, ROW_BOTH},
    {write_working_directory, KEY_WORKING_DIRECTORY, ROW_BOTH},
    {write_user, KEY_USER, ROW_BOTH},
    {write_unix_group, KEY_UNIX_GROUP, ROW_BOTH},
    {write_supplementary_groups, KEY_SUPPLEMENTARY_GROUPS, ROW_BOTH},
    {write_environment, KEY_ENVIRONMENT, ROW_BOTH},
    {write_environment_file, KEY_ENVIRONMENT_FILE, ROW_BOTH},
    {write_capabilities, KEY_CAPABILITIES, ROW_BOTH},
    {write_no_new_privileges, KEY_NO_NEW_PRIVILEGES, ROW_BOTH},
    {write_umask, KEY_UMASK, ROW_BOTH},
    {write_nice, KEY_NICE, ROW_BOTH},
    {write_later_keys, KEY_NICE, ROW_WRITTEN},
    {compare_nice, KEY_NICE, ROW_COMPARED},
    {compare_fd_store, KEY_FD_STORE_MAX, ROW_COMPARED},
    {compare_sigpipe, KEY_IGNORE_SIGPIPE, ROW_COMPARED},
    {compare_oom_score, KEY_OOM_SCORE_ADJ, ROW_COMPARED},
    {compare_before, KEY_BEFORE, ROW_COMPARED},
    {compare_after_start, KEY_AFTER_START, ROW_COMPARED},
    {compare_reload, KEY_RELOAD, ROW_COMPARED},
    {compare_stop_commands, KEY_STOP, ROW_COMPARED},
    {compare_after_stop, KEY_AFTER_STOP, ROW_COMPARED},
    {compare_runtime, KEY_RUNTIME_DIRECTORY, ROW_COMPARED},
    {compare_state, KEY_STATE_DIRECTORY, ROW_COMPARED},
    {compare_logs, KEY_LOGS_DIRECTORY, ROW_COMPARED},
    {compare_cache, KEY_CACHE_DIRECTORY, ROW_COMPARED},
    {write_limits, KEY_LIMITS, ROW_BOTH},
    {write_whole_limits, KEY_LIMITS, ROW_BOTH},
    {compare_more_limits, KEY_LIMITS, ROW_COMPARED},
    {compare_affinity, KEY_CPU_AFFINITY, ROW_COMPARED},
    {compare_sandbox, KEY_SANDBOX, ROW_COMPARED},
    {write_output, KEY_STDOUT, ROW_BOTH},
    {write_sockets, KEY_SOCKETS, ROW_BOTH},
    {write_health, KEY_HEALTH_CHECK, ROW_BOTH},
    {write_stop_signal, KEY_STOP, ROW_BOTH},
    {write_reload_signal, KEY_RELOAD_SIGNAL, ROW_BOTH},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

const char *declaration_key_name(enum declaration_key key)
{
    INVARIANT(key < DECLARATION_KEYS);
    return keys[key].name;
}

enum key_class declaration_key_class(enum declaration_key key)
{
    INVARIANT(key < DECLARATION_KEYS);
    return keys[key].class;
}

size_t declaration_rows(void)
{
    return ROWS;
}

enum declaration_key declaration_row_write(struct archive *a, struct child_declaration *d,
                                           size_t row)
{
    INVARIANT(!a->reading && row < ROWS);
    if (rows[row].use != ROW_WRITTEN)
        rows[row].write(a, d);
    return rows[row].key;
}

void declaration_keys_write(struct archive *a, struct child_declaration *d)
{
    INVARIANT(!a->reading);
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].use != ROW_WRITTEN)
            rows[i].write(a, d);
}

/* The rows that are written, in the order of the table, and at the end what
 * belongs to no key. */
void declaration_archive(struct archive *a, struct child_declaration *d)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].use != ROW_COMPARED)
            rows[i].write(a, d);
    archive_secret(a, &d->manifest);
    archive_required(a, &d->manifest_path);
    if (!d->manifest)
        d->manifest = "";
    archive_hidden(a, d);
    ARCHIVE(a, d->owner);
}

static void archive_group(struct archive *a, struct group_declaration *group)
{
    archive_required(a, &group->name);
    ARCHIVE_WORD(a, group->strategy, STRATEGY_REST_FOR_ONE);
    ARCHIVE(a, group->limited);
    ARCHIVE_WORD(a, group->burst, RESTART_LIMIT_BURST_MAX);
    ARCHIVE(a, group->interval_usec);
    ARCHIVE(a, group->budget_restarts);
    ARCHIVE(a, group->budget_usec);
}

void supervisor_declaration_archive(struct archive *a, struct supervisor_declaration *d)
{
    archive_required(a, &d->path);
    if (a->reading && d->path[0] && !child_id_valid(d->path))
        a->failed = true;
    ARCHIVE_WORD(a, d->strategy, STRATEGY_REST_FOR_ONE);
    ARCHIVE_WORD(a, d->escalation, ESCALATION_SHUTDOWN_TREE);
    ARCHIVE(a, d->limited);
    ARCHIVE_WORD(a, d->burst, RESTART_LIMIT_BURST_MAX);
    ARCHIVE(a, d->interval_usec);
    ARCHIVE(a, d->max_restarts_in_flight);
    archive_count(a, &d->n_groups, GROUPS_MAX);
    struct group_declaration *groups = array(a, d->groups, d->n_groups, sizeof(*groups));
    d->groups = groups;
    for (size_t i = 0; !a->failed && i < d->n_groups; i++)
        archive_group(a, &groups[i]);
    archive_secret(a, &d->manifest);
    if (!d->manifest)
        d->manifest = "";
    archive_required(a, &d->manifest_path);
    ARCHIVE(a, d->position);
}
