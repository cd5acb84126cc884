/*
 * Declarations: their defaults and what is valid. The defaults stand here once,
 * for manifests, for the bus, and for the tables of docs/manifest.md, which a
 * test compares.
 */
#include "core/model/declaration.h"

#include "core/vocabulary/vocabulary.h"

#include <string.h>

#define MSEC UINT64_C(1000)
#define SEC  (1000 * MSEC)
#define MIN  (60 * SEC)

/* A service should always run, a worker until it has succeeded, a job once. */
static enum restart_policy default_restart(enum child_role role)
{
    switch (role) {
    case ROLE_SERVICE:
    case ROLE_SIDECAR:
        return RESTART_PERMANENT;
    case ROLE_WORKER:
        return RESTART_TRANSIENT;
    case ROLE_JOB:
        return RESTART_TEMPORARY;
    }
    __builtin_unreachable();
}

/* All defaults, by kind. Every key of service/manifest/keys.def that has a
 * default names the value that is set here; tests/manifest/test_keys.c compares
 * them. */
void declaration_defaults(struct child_declaration *declaration, enum child_role role)
{
    *declaration = (struct child_declaration){
        .role = role,
        .criticality =
            role == ROLE_JOB || role == ROLE_SIDECAR ? CRITICALITY_OPTIONAL : CRITICALITY_CRITICAL,
        .restart = default_restart(role),
        .autostart = true,
        .burst = 10,
        .interval_usec = 5 * MIN,
        .on_limit = role == ROLE_SERVICE ? ON_LIMIT_COOL_DOWN : ON_LIMIT_QUARANTINE,
        .backoff = {.initial_usec = 100 * MSEC,
                    .max_usec = 30 * SEC,
                    .factor_milli = 2000,
                    .ratio_milli = 200,
                    .jitter = JITTER_EQUAL,
                    .reset_after_usec = 60 * SEC},
        .fatal_exit_codes = {.codes = {78}, .count = 1},
        .stop_timeout_usec = 10 * SEC,
        .abort_timeout_usec = 5 * SEC,
        .timeout_action = TIMEOUT_KILL,
        .leftovers = LEFTOVERS_WAIT,
        .readiness = role == ROLE_JOB ? READINESS_JOB : READINESS_IMMEDIATE,
        .start_timeout_usec = 30 * SEC,
        .on_stale = ON_STALE_REPORT,
        .health_timeout_usec = 3 * SEC,
        .health_retries = 3,
        .on_unhealthy = ON_STALE_REPORT,
        .process = {.no_new_privileges = true,
                    .kill_group = true,
                    .stop_signal = 15,
                    .reload_signal = 1,
                    .directories = {{.mode = DIRECTORY_MODE},
                                    {.mode = DIRECTORY_MODE},
                                    {.mode = DIRECTORY_MODE},
                                    {.mode = DIRECTORY_MODE}},
                    .output = {.kind = OUTPUT_JOURNAL}},
        .manifest = "",
        .manifest_path = "",
    };
}

static bool is_same_group(const struct group_declaration *a, const struct group_declaration *b)
{
    return strcmp(a->name, b->name) == 0 && a->strategy == b->strategy &&
           a->limited == b->limited && a->burst == b->burst &&
           a->interval_usec == b->interval_usec && a->budget_restarts == b->budget_restarts &&
           a->budget_usec == b->budget_usec;
}

/* For a reload: whether anything that decides something has changed. Its text
 * and its place do not count. */
bool supervisor_declaration_is_same(const struct supervisor_declaration *a,
                                    const struct supervisor_declaration *b)
{
    if (a->strategy != b->strategy || a->escalation != b->escalation || a->limited != b->limited ||
        a->burst != b->burst || a->interval_usec != b->interval_usec ||
        a->max_restarts_in_flight != b->max_restarts_in_flight || a->n_groups != b->n_groups)
        return false;
    for (size_t i = 0; i < a->n_groups; i++)
        if (!is_same_group(&a->groups[i], &b->groups[i]))
            return false;
    return true;
}

bool declaration_is_ready_by_exit(const struct child_declaration *declaration)
{
    return declaration->readiness == READINESS_EXIT || declaration->readiness == READINESS_JOB;
}

/* The limit is only applied if it is declared (`limited`); the numbers are
 * those that a partial declaration begins with. */
void supervisor_declaration_defaults(struct supervisor_declaration *declaration, const char *path)
{
    *declaration = (struct supervisor_declaration){
        .path = path,
        .strategy = STRATEGY_ONE_FOR_ONE,
        .escalation = ESCALATION_PARENT,
        .burst = 10,
        .interval_usec = 5 * MIN,
        .manifest = "",
        .manifest_path = "",
    };
}

static bool segment_character(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_.@:-", c) != NULL);
}

/* At most eight segments of at most 64 characters. Ids become object paths,
 * cgroups and file names, so their alphabet is small. */
bool child_id_valid(const char *id)
{
    size_t segments = 1, length = 0;

    for (; *id; id++) {
        if (*id == '/') {
            if (length == 0 || ++segments > 8)
                return false;
            length = 0;
        } else if (!segment_character(*id) || ++length > CHILD_SEGMENT_MAX) {
            return false;
        }
    }
    return length > 0;
}

bool declaration_is_around(const struct child_declaration *declaration)
{
    return declaration->role == ROLE_SIDECAR && declaration->sidecar_order == SIDECAR_AROUND;
}
