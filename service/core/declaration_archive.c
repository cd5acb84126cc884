/*
 * Declarations as bytes, for the journal and for checkpoints: every field of declaration.h and
 * process_spec.h, in their order.
 */
#include "archive.h"
#include "private.h"

#include <string.h>

#define PROCESS_SIGNAL_MAX 64

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

static void archive_limits(struct archive *a, struct process_spec *spec)
{
    size_t count = spec->limits ? PROCESS_LIMITS : 0;

    archive_count(a, &count, PROCESS_LIMITS);
    struct process_limit *limits =
        array(a, spec->limits, count > 0 ? PROCESS_LIMITS : 0, sizeof(*limits));
    spec->limits = limits;
    for (size_t i = 0; !a->failed && limits && i < count; i++) {
        ARCHIVE(a, limits[i].set);
        ARCHIVE(a, limits[i].soft);
        ARCHIVE(a, limits[i].hard);
    }
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

/*
 * Keys that came later share a number with nice_set, in the bits above it, so that what was written
 * before they were known is still read, as if they had not been given.
 */
static void archive_later_keys(struct archive *a, struct process_spec *spec)
{
    uint64_t score = (uint64_t)(spec->oom_score_adj - OOM_SCORE_ADJ_MIN);
    uint64_t bits = (uint64_t)spec->nice_set | (uint64_t)spec->ignore_sigpipe << 1 |
                    (uint64_t)spec->oom_score_adj_set << 2 |
                    (spec->oom_score_adj_set ? score << 3 : 0) | (uint64_t)spec->fd_store_max << 16;

    ARCHIVE(a, bits);
    score = bits >> 3 & 0x1FFF;
    if (bits >> 16 > FD_STORE_MAX || score > (uint64_t)(OOM_SCORE_ADJ_MAX - OOM_SCORE_ADJ_MIN))
        a->failed = true;
    if (!a->reading || a->failed)
        return;
    spec->fd_store_max = (uint32_t)(bits >> 16);
    spec->nice_set = bits & 1;
    spec->ignore_sigpipe = bits & 2;
    spec->oom_score_adj_set = bits & 4;
    spec->oom_score_adj = spec->oom_score_adj_set ? (int)score + OOM_SCORE_ADJ_MIN : 0;
}

static void archive_process(struct archive *a, struct process_spec *spec)
{
    archive_strings(a, &spec->arguments);
    archive_string(a, &spec->working_directory);
    archive_string(a, &spec->user);
    archive_string(a, &spec->group);
    archive_strings(a, &spec->supplementary_groups);
    archive_secrets(a, &spec->environment);
    archive_string(a, &spec->environment_file);
    ARCHIVE(a, spec->capabilities);
    ARCHIVE(a, spec->capabilities_set);
    ARCHIVE(a, spec->no_new_privileges);
    ARCHIVE(a, spec->umask);
    ARCHIVE(a, spec->umask_set);
    ARCHIVE(a, spec->nice);
    archive_later_keys(a, spec);
    archive_limits(a, spec);
    ARCHIVE(a, spec->memory_max);
    ARCHIVE(a, spec->pids_max);
    ARCHIVE(a, spec->cpu_weight);
    ARCHIVE_WORD(a, spec->output.kind, OUTPUT_FILE);
    archive_string(a, &spec->output.path);
    ARCHIVE(a, spec->output.max_size_bytes);
    ARCHIVE(a, spec->output.keep);
    archive_sockets(a, spec);
    archive_health(a, spec);
    ARCHIVE(a, spec->kill_group);
    ARCHIVE_WORD(a, spec->stop_signal, PROCESS_SIGNAL_MAX);
    ARCHIVE_WORD(a, spec->reload_signal, PROCESS_SIGNAL_MAX);
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

/* As archive_later_keys(): what becomes of leftovers came later. */
static void archive_stop_words(struct archive *a, struct child_declaration *d)
{
    unsigned words = (unsigned)d->timeout_action | (unsigned)d->leftovers << 1;

    ARCHIVE_WORD(a, words, TIMEOUT_REPORT | LEFTOVERS_KEEP << 1);
    d->timeout_action = words & 1;
    d->leftovers = words >> 1;
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

void declaration_archive(struct archive *a, struct child_declaration *d)
{
    archive_required(a, &d->id);
    if (a->reading && !child_id_valid(d->id))
        a->failed = true;
    ARCHIVE_WORD(a, d->role, ROLE_SIDECAR);
    ARCHIVE_WORD(a, d->criticality, CRITICALITY_OPTIONAL);
    ARCHIVE_WORD(a, d->restart, RESTART_TEMPORARY);
    ARCHIVE(a, d->autostart);
    ARCHIVE(a, d->has_process);
    ARCHIVE_WORD(a, d->burst, RESTART_LIMIT_BURST_MAX);
    ARCHIVE(a, d->interval_usec);
    ARCHIVE_WORD(a, d->on_limit, ON_LIMIT_SHUTDOWN_TREE);
    archive_backoff(a, &d->backoff);
    archive_codes(a, &d->fatal_exit_codes);
    archive_codes(a, &d->success_exit_codes);
    ARCHIVE(a, d->stop_timeout_usec);
    ARCHIVE(a, d->abort_timeout_usec);
    archive_stop_words(a, d);
    ARCHIVE_WORD(a, d->readiness, READINESS_CHECK);
    archive_start_and_run(a, d);
    ARCHIVE(a, d->heartbeat_usec);
    ARCHIVE(a, d->stale_after_usec);
    ARCHIVE_WORD(a, d->on_stale, ON_STALE_RESTART);
    ARCHIVE(a, d->heartbeat_required);
    ARCHIVE(a, d->health_usec);
    ARCHIVE(a, d->health_timeout_usec);
    ARCHIVE(a, d->health_retries);
    ARCHIVE_WORD(a, d->on_unhealthy, ON_STALE_RESTART);
    archive_list(a, &d->requires, &d->n_requires, DEPENDENCIES_MAX);
    archive_list(a, &d->after, &d->n_after, DEPENDENCIES_MAX);
    archive_list(a, &d->tags, &d->n_tags, TAGS_MAX);
    archive_string(a, &d->group);
    ARCHIVE_WORD(a, d->same_name, SAME_NAME_REPLACE);
    archive_process(a, &d->process);
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
