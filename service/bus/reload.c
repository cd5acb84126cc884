/*
 * Reload of the manifests: read in a thread, applied in the loop, as one step.
 */
#include "bus/reload.h"

#include "bus/changes.h"
#include "manifest/manifest_set.h"
#include "bus/outgoing.h"
#include "bus/private.h"
#include "bus/authorisation.h"
#include "bus/caller.h"
#include "bus/key.h"
#include "bus/options.h"
#include "bus/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A call that waits for the manifests. */
struct reload {
    struct reload *next;
    struct service *service;
    sd_bus_message *call; /* NULL: it has been refused */
    uid_t uid;
    struct options options; /* its texts are the call's */
    const char *reason;
};

static void forget(struct reload *reload)
{
    struct reload **link = &reload->service->reloads;

    while (*link != reload)
        link = &(*link)->next;
    *link = reload->next;
    sd_bus_message_unref(reload->call);
    free(reload);
}

static void refuse_manifests(const struct reload *reload, const char *why)
{
    if (!reload->options.dry_run)
        core_declaration_rejected(reload->service->core, reload->options.requester, why);
    refuse_late(reload->call, PROCTOR_ERROR "InvalidManifest", "%s", why);
}

/* ---- the manifests are there ----------------------------------------------------------------- */

/* All or nothing; the reply lists what happened to each child. */
static void apply(const struct reload *reload, const struct manifest_set *set)
{
    const struct options *options = &reload->options;
    struct service *service = reload->service;
    struct manifest_changes counts;
    struct error why = {};
    struct changes *changes = calloc(1, sizeof(*changes));
    struct manifest_reload what = {.requester = options->requester,
                                   .reason = reload->reason,
                                   .dry_run = options->dry_run,
                                   .restart = options->restart,
                                   .visit = changes_note,
                                   .userdata = changes};
    int r = -ENOMEM;

    strcpy(why.text, "out of memory");
    if (changes)
        r = service->hooks.reload(service->hooks.userdata, set, &what, &counts, &why);
    service->hooks.settle(service->hooks.userdata);
    for (size_t i = 0; changes && options->dry_run && i < changes->n[WORD_RESTART]; i++)
        changes_note_restart(changes, service->core, changes->names[WORD_RESTART][i]);
    if (r >= 0 && options->dry_run)
        tell_dry_run(service, "reload", options->requester, reload->reason);
    if (r < 0)
        refuse_manifests(reload, why.text);
    else if (changes_answer(service, reload->call, changes, (uint32_t)counts.unchanged, options,
                            reload->uid) < 0)
        refuse_late(reload->call, PROCTOR_ERROR "LimitExceeded", "the reply cannot be sent");
    if (changes)
        changes_free(changes);
}

/* Without its connection there is no caller to answer. */
static bool is_wanted(const struct reload *reload)
{
    struct service *service = reload->service;

    return reload->call && sd_bus_message_get_bus(reload->call) == service->bus &&
           !key_answers(service, reload->call, &reload->options, reload->uid);
}

/* The files have been read, or could not be. */
static void loaded(void *data, int r, const struct manifest_set *set, const char *why)
{
    struct reload *reload = data;

    if (is_wanted(reload)) {
        if (core_shutdown_phase(reload->service->core) != SHUTDOWN_IDLE)
            refuse_late(reload->call, PROCTOR_ERROR "ShuttingDown", "the tree is shutting down");
        else if (r < 0)
            refuse_manifests(reload, why);
        else
            apply(reload, set);
    }
    forget(reload);
}

/* ---- the call -------------------------------------------------------------------------------- */

/* Reloads are made one after the other. */
int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const struct caller *caller;
    struct options options;
    const char *reason;

    int r = argument_read(m, "reason", &reason, error);
    if (r >= 0)
        r = command_prepare(
            service, m,
            &(struct permission){.action = MAY_CHANGE_TREE, .verb = "reload", .option = "restart"},
            reason, &caller, &options, error);
    if (r != 0)
        return r;
    if (core_shutdown_phase(service->core) != SHUTDOWN_IDLE)
        return refuse_call(error, PROCTOR_ERROR "ShuttingDown", "the tree is shutting down");
    struct reload *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    *fresh = (struct reload){.next = service->reloads,
                             .service = service,
                             .call = sd_bus_message_ref(m),
                             .uid = caller->uid,
                             .options = options,
                             .reason = reason};
    service->reloads = fresh;
    r = service->hooks.load(service->hooks.userdata, options.dry_run, loaded, fresh);
    if (r == 0)
        return 1;
    forget(fresh);
    return r == -EBUSY
               ? refuse_call(error, PROCTOR_ERROR "LimitExceeded", "too many reloads are waiting")
               : r;
}

void reloads_refuse(struct service *service)
{
    for (struct reload *r = service->reloads; r; r = r->next) {
        if (!r->call)
            continue;
        refuse_late(r->call, PROCTOR_ERROR "InvalidManifest",
                    "nothing was reloaded: proctord is being replaced");
        r->call = sd_bus_message_unref(r->call);
    }
}

/* The loads have gone already, or never call back. */
void reloads_free(struct service *service)
{
    while (service->reloads)
        forget(service->reloads);
}
