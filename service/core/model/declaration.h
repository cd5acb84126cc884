/*
 * Declaration: what an operator says about a child, complete and already checked for types and
 * ranges. semantics.md section 11 has the defaults; declaration_defaults() fills them in.
 */
#pragma once

#include "core/model/backoff.h"
#include "core/model/process_spec.h"
#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHILD_ID_MAX      519 /* 8 segments of 64 characters and the slashes between */
#define CHILD_SEGMENT_MAX 64
#define EXIT_CODES_MAX    16
#define DEPENDENCIES_MAX  64
#define TAGS_MAX          32
#define DESCRIPTION_MAX   256 /* bytes */
#define GROUPS_MAX        64  /* of one supervisor */
#define STOP_SIGNALS_MAX  8   /* of one stop */

/* As long as a run may be put off. */
#define SCHEDULE_DELAY_MAX (UINT64_C(366) * 24 * 3600 * 1000000)

/* A signal of a stop behind the first, and the time that it has. */
struct stop_step {
    int signal;
    uint64_t usec;
};

struct exit_codes {
    uint8_t codes[EXIT_CODES_MAX];
    uint8_t count;
};

/* What happens when a run is due and the one before it is not over. */
enum schedule_overlap { OVERLAP_SKIP = 0, OVERLAP_QUEUE = 1, OVERLAP_REPLACE = 2 };

/* What happens when a job of the same name is queued or runs. */
enum same_name { SAME_NAME_REJECT = 0, SAME_NAME_QUEUE = 1, SAME_NAME_REPLACE = 2 };

struct child_declaration {
    const char *id;
    const char *description; /* one line for people; NULL: none */
    enum child_role role;
    enum sidecar_order sidecar_order; /* of a sidecar */
    enum criticality criticality;
    enum restart_policy restart;
    enum on_end on_success;  /* when it has succeeded, and is not restarted */
    enum on_end on_give_up;  /* when it has failed for good; this goes before on_limit */
    bool restart_dependents; /* when it is started again, those that require it are restarted */
    bool autostart;
    bool has_process;

    uint32_t burst; /* 0 to RESTART_LIMIT_BURST_MAX */
    uint64_t interval_usec;
    enum on_limit on_limit;
    struct backoff_settings backoff;
    struct exit_codes fatal_exit_codes;
    struct exit_codes success_exit_codes; /* besides 0 */

    uint64_t stop_timeout_usec; /* this and the other timeouts: 0 is no deadline */
    struct stop_step
        further_stops[STOP_SIGNALS_MAX - 1]; /* one after the other, before the abort */
    uint32_t n_further_stops;
    uint64_t abort_timeout_usec;
    enum timeout_action timeout_action;
    enum leftovers leftovers;

    enum readiness_policy readiness;
    uint64_t start_timeout_usec;
    uint64_t run_timeout_usec; /* from the moment that its program runs */

    uint64_t heartbeat_usec; /* 0: none declared */
    uint64_t stale_after_usec;
    enum on_stale on_stale;
    bool heartbeat_required;

    uint64_t health_usec; /* from an answer to the next health check; 0: none declared */
    uint64_t health_timeout_usec;
    uint32_t health_retries; /* misses in a row that make it unhealthy, at least 1 */
    enum on_stale on_unhealthy;

    const char **requires; /* ids, n_requires of them; a sidecar's first is its primary */
    size_t n_requires;
    const char **after; /* order only */
    size_t n_after;
    const char **tags;
    size_t n_tags;
    const char *group;        /* of its supervisor; NULL: none */
    enum same_name same_name; /* of a job */

    const char *schedule;         /* expressions, a line each (calendar/timetable.h); NULL: none */
    const char *schedule_zone;    /* as calendar/zone.h has it */
    uint64_t schedule_delay_usec; /* each run is put off by a random part of it */
    bool schedule_persistent;     /* a run that was missed is made up for */
    enum schedule_overlap schedule_overlap;

    struct process_spec process;
    const char *manifest;      /* its text, as it was given */
    const char *manifest_path; /* "" where it came over the bus */
    uint32_t secret_from;      /* where in its text the environment stands, which is not shown, */
    uint32_t secret_length;    /* and for how many bytes */
    uint32_t owner; /* uid of the caller that brought it over the bus; 0: root, or a file */
};

/*
 * A group: members of one supervisor that share their fate. It keeps to itself: its strategy is for
 * its own members, what fails in it counts in its own limit and never in its supervisor's, and no
 * child outside it is restarted for it.
 */
struct group_declaration {
    const char *name;
    enum strategy strategy;
    bool limited; /* has a limit: the fuse */
    uint32_t burst;
    uint64_t interval_usec;
    uint32_t budget_restarts; /* automatic restarts within budget_usec; 0: as many as there are */
    uint64_t budget_usec;
};

/* What an operator says about a supervisor. */
struct supervisor_declaration {
    const char *path; /* "payments/eu"; "" for the root */
    enum strategy strategy;
    enum escalation escalation;
    bool limited; /* children's failures count, too: supervisors' always do */
    uint32_t burst;
    uint64_t interval_usec;
    uint32_t max_restarts_in_flight; /* 0: the core's default */
    const struct group_declaration *groups;
    size_t n_groups;
    const char *manifest;      /* its text, without its children */
    const char *manifest_path; /* "" where it came over the bus */
    size_t position;           /* in a set: declared before this one of the set's children */
};

/* Everything at its default. */
void supervisor_declaration_defaults(struct supervisor_declaration *declaration, const char *path);

/* Whether both keep their children alike, however it is written: `10s` is `10000ms`. */
bool supervisor_declaration_is_same(const struct supervisor_declaration *a,
                                    const struct supervisor_declaration *b);

/* Whether it is ready by its end, not while it runs. */
bool declaration_is_ready_by_exit(const struct child_declaration *declaration);

/* Everything at its default; the id and the process are still to be filled in. */
void declaration_defaults(struct child_declaration *declaration, enum child_role role);

/* Whether it is a sidecar that goes around its primary. */
bool declaration_is_around(const struct child_declaration *declaration);

/* True for a path of 1 to 8 segments of [A-Za-z0-9_.@:-]{1,64}. */
bool child_id_valid(const char *id);
