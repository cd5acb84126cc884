/*
 * What the crash tests share: a real proctord with a tree of real processes, under a load of
 * commands, jobs and children that crash; and the looks at what is there. under_load.c starts and
 * torments, inspect.c looks; crash_test.c kills, faults.c lets system calls fail.
 */
#pragma once

#include "fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANAGER   "/org/proctor1"
#define STEADY    4
#define FLAKY     5
#define MANAGED   6                     /* commands are for these */
#define EXTRA     "extra"               /* it comes and goes */
#define JOBS_MAX  40                    /* not yet known to be over */
#define PATIENCE  (40 * G_USEC_PER_SEC) /* a busy machine, and what waits for manifests */
#define CALL_MSEC 5000

/* A child that gets commands, one at a time. */
struct managed {
    const char *operation; /* as acknowledged; NULL: a command is in doubt */
    gboolean busy;
};

struct seen {
    guint64 generation, attempt;
    guint pid;
};

/* The answer may be read long after it was sent: what counts for the audit is when it was asked. */
struct acknowledged {
    char *reason;
    guint64 asked_usec; /* CLOCK_REALTIME */
};

struct under_load {
    char *folder, *notify;
    GPid proctord;
    int output;
    GDBusConnection *bus;
    guint64 round; /* answers of earlier ones do not count */
    struct managed managed[MANAGED];
    guint under_way;
    GHashTable *seen; /* of each child */
    GArray *fresh;    /* struct acknowledged: since the last look */
    GPtrArray *jobs;  /* files of acknowledged jobs */
    guint64 next, acknowledged, kills, at_calls, deepest, upgrades, spawners, restarts, reboots;
    gboolean ending; /* in good order: what is asked for now may be refused */
    GRand *random;
    gboolean faulty; /* commands may fail, but not without a word */
    guint unanswered;
};

extern struct under_load t;

/* ---- under_load.c ---------------------------------------------------------------------------- */

/* Says why, ends all that was started, and this process. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void begin_crash_test(guint32 seed);
void write_tree(void);
gboolean has_ended(void);

/* Until it is dead, and no longer than that takes; returns its wait status. */
int wait_for_end(const char *by);

/* One turn of the main loop, which comes back though nothing happens. */
void turn(void);

/* tool: what it is started under, with its arguments; NULL: nothing. Returns whether there is a bus
 * to talk to it. */
gboolean start_under(const char *const *tool);

/* stop: where it is to die, as kill-at has it; NULL: it is not. */
gboolean start(const char *stop);

/* It is dead: whose answer has not come is in doubt. */
void forget(void);
void run_job(void);
void keep_busy(void);
void work_until_dead(int *status);
void work_for(gint64 usec);
void read_what_is_left(void);

/* Ends whatever was started here, at once. */
void kill_all_of_ours(void);

/* ---- endings.c ------------------------------------------------------------------------------- */

void add_over_the_bus(void);

/* Until proctord has ended, after some work; and no process is left. */
void end_in_good_order(void);
void lose_power(void);

/* As start(), where the machine was started since; every time in a boot of its own. */
gboolean start_in_another_boot(void);

/* ---- inspect.c ------------------------------------------------------------------------------- */

/* Child id to struct seen. operations: child id to what proctord calls its operation; may be NULL.
 */
GHashTable *look(GHashTable **operations);

/* Child id to an array of PIDs, of what runs with our notify socket in its environment. */
GHashTable *scan(void);
void check_processes(void);

/* Against the last look: no generation has gone back, a child that had no reason to end is the same
 * process, and each is held as was acknowledged. */
void check_identities(void);

/* Whether what is acknowledged now outlives it. */
gboolean is_durable(void);

/* Audit, events, trace and metrics, once each, and whatever it says. */
void ask_about_the_past(void);
guint lines_of(const char *path);
void check_jobs(gboolean all);
void check(gboolean all);

/* Ends it in good order, and looks whether anything is left. */
void shut_down(void);

/* ---- faults.c -------------------------------------------------------------------------------- */

struct faults {
    gint64 round;     /* which of the errors that a call can have; < 0: no faults */
    const char *call; /* only calls of this name are counted; NULL: all */
    gboolean sites;   /* the first call of each site (site.h), and a richer piece of work */
    gint64 from, every, until;
};

void inject_faults(const struct faults *faults);
