/*
 * Applying manifests: at the start, by signal, by call, and after a recovery.
 * Children that are being removed come back when they are gone.
 */
#include "manifests.h"
#include "core/vocabulary/invariant.h"

#include "core/model/child.h"
#include "log/log.h"
#include "manifest_load.h"
#include "system/upward.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#define RELOAD_USEC  1000000
#define BRIEFLY_USEC 50000

/* ---- when it is asked for -------------------------------------------------------------------- */

int manifests_load(void *userdata, bool dry_run,
                   void (*done)(void *data, int r, const struct manifest_set *set, const char *why),
                   void *data)
{
    struct daemon *daemon = userdata;

    INVARIANT(done);
    if (!dry_run) /* whatever becomes of the manifests: a rotation waits for it */
        host_reopen_outputs(daemon->host);
    return manifest_load(daemon->loads, done, data);
}

/* ---- a child that is declared while it is removed -------------------------------------------- */

/* Whose word it is that brings it back. */
struct manifest_request {
    char requester[REQUESTER_MAX + 1];
    char reason[REASON_MAX + 1];
};

void manifests_forget(struct daemon *daemon)
{
    manifest_set_free(daemon->returning);
    free(daemon->return_request);
    daemon->returning = NULL;
    daemon->return_request = NULL;
    daemon->return_source = sd_event_source_disable_unref(daemon->return_source);
}

/* One of them is gone: its new declaration is applied. */
static int go_on(sd_event_source *source, void *userdata)
{
    struct daemon *daemon = userdata;
    const struct manifest_request *request = daemon->return_request;

    (void)source;
    size_t left =
        manifest_set_go_on(daemon->returning, daemon->core, request->requester, request->reason);
    host_settle(daemon->host);
    if (left == 0)
        manifests_forget(daemon);
    return 0;
}

/* A newer set replaces the one that waits. */
static void await_return(struct daemon *daemon, const struct manifest_set *set,
                         const struct manifest_reload *what, size_t awaited)
{
    manifests_forget(daemon); /* the newer set knows better */
    if (awaited == 0)
        return;
    daemon->return_request = calloc(1, sizeof(*daemon->return_request));
    if (!daemon->return_request ||
        sd_event_add_defer(daemon->event, &daemon->return_source, go_on, daemon) < 0) {
        manifests_forget(daemon);
        log_print(LOG_ERR,
                  "out of memory: %zu children that are being removed will not return before the "
                  "next reload",
                  awaited);
        return;
    }
    sd_event_source_set_enabled(daemon->return_source, SD_EVENT_OFF);
    snprintf(daemon->return_request->requester, sizeof(daemon->return_request->requester), "%s",
             what->requester);
    snprintf(daemon->return_request->reason, sizeof(daemon->return_request->reason), "%s",
             what->reason);
    daemon->returning = manifest_set_keep(set);
}

void manifests_child_gone(struct daemon *daemon)
{
    if (daemon->returning)
        sd_event_source_set_enabled(daemon->return_source, SD_EVENT_ONESHOT);
}

/* ---- applying them --------------------------------------------------------------------------- */

/* One step for the core. */
int manifests_apply(void *userdata, const struct manifest_set *set,
                    const struct manifest_reload *what, struct manifest_changes *changes,
                    struct error *error)
{
    INVARIANT(set && what && changes);
    struct daemon *daemon = userdata;
    int r = manifest_set_reload(set, daemon->core, what, changes, error);

    if (r == 0 && !what->dry_run)
        await_return(daemon, set, what, changes->awaited);
    return r;
}

/* ---- by a signal ----------------------------------------------------------------------------- */

/* There is no caller: the result is in the log, and an event. */
static void loaded_by_signal(void *data, int r, const struct manifest_set *set, const char *why)
{
    struct daemon *daemon = data;
    struct manifest_changes changes;
    struct error error = {};

    if (r == 0) {
        r = manifests_apply(daemon, set,
                            &(struct manifest_reload){.requester = "signal", .reason = "SIGHUP"},
                            &changes, &error);
        why = error.text;
    }
    if (r < 0) {
        core_declaration_rejected(daemon->core, REQUESTER_SIGNAL, why);
        log_print(LOG_ERR, "nothing was reloaded: %s", why);
    } else {
        log_print(LOG_NOTICE,
                  "reloaded: %zu added, %zu changed in place, %zu changing at their next start, "
                  "%zu removed, %zu unchanged",
                  changes.added, changes.in_place, changes.pending, changes.removed,
                  changes.unchanged);
    }
    host_settle(daemon->host);
    upward_say("READY=1", -1);
}

void manifests_reload_by_signal(void *userdata)
{
    struct daemon *daemon = userdata;

    upward_say("RELOADING=1", -1);
    int r = manifests_load(daemon, false, loaded_by_signal, daemon);
    if (r < 0)
        loaded_by_signal(daemon, r, NULL, "too many reloads are waiting");
}

/* ---- at the start ---------------------------------------------------------------------------- */

static bool will_pass(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EINTR ||
           error == -EIO;
}

static void reload_after_recovery(struct daemon *daemon);

static int reload_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    reload_after_recovery(userdata);
    return 0;
}

static void try_later(struct daemon *daemon)
{
    daemon->reload_source = sd_event_source_disable_unref(daemon->reload_source);
    sd_event_add_time_relative(daemon->event, &daemon->reload_source, CLOCK_MONOTONIC, RELOAD_USEC,
                               0, reload_again, daemon);
}

/* What was changed while no proctord was running. */
static void loaded_after_recovery(void *data, int r, const struct manifest_set *set,
                                  const char *why)
{
    struct daemon *daemon = data;
    struct manifest_changes changes;
    struct error error = {};

    if (core_shutdown_phase(daemon->core) != SHUTDOWN_IDLE)
        return;
    if (r == 0) {
        r = manifests_apply(daemon, set,
                            &(struct manifest_reload){.requester = "proctord", .reason = "start"},
                            &changes, &error);
        why = error.text;
    }
    if (r < 0)
        log_print(LOG_ERR, "cannot apply the manifests, keeping the tree as it was: %s", why);
    if (will_pass(r))
        try_later(daemon);
    host_settle(daemon->host);
}

static void reload_after_recovery(struct daemon *daemon)
{
    if (core_shutdown_phase(daemon->core) != SHUTDOWN_IDLE)
        return;
    if (manifests_load(daemon, false, loaded_after_recovery, daemon) < 0)
        try_later(daemon);
}

static bool somebody_runs(struct core *core)
{
    for (const struct child *child = core_first(core); child; child = core_next(child))
        if (child->attempt.active && child->attempt.spawned)
            return true;
    return false;
}

/* What is not running yet is best started as the manifests say now; a running child is not kept
 * waiting.
 */
void manifests_recover(struct daemon *daemon)
{
    reload_after_recovery(daemon);
    manifest_loads_wait(daemon->loads,
                        somebody_runs(daemon->core) ? BRIEFLY_USEC : MANIFEST_PATIENCE_USEC);
}

/* The first start: an error ends it. */
int manifests_declare(struct daemon *daemon)
{
    struct manifest_set *set;
    struct error error = {};
    int r = manifest_set_load(daemon->line.manifests, daemon->line.n_manifests,
                              daemon->line.default_manifests, NULL, &set, &error);

    if (r == 0) {
        r = manifest_set_declare(set, daemon->core, "proctord", "start", &error);
        host_settle(daemon->host);
        manifest_set_free(set);
        malloc_trim(0); /* what was read is twice as large as what is kept of it */
    }
    if (r < 0)
        log_say("%s", error.text);
    return r;
}
