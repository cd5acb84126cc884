#include "reload.h"

#include "manifest_set.h"
#include "outgoing.h"
#include "private.h"

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

/* ---- the answer ------------------------------------------------------------------------------ */

/* Which children a reload touches; more than 4,095 of a kind are only counted. */
struct named {
    char *added[4096], *changed[4096], *removed[4096];
    size_t n_added, n_changed, n_removed;
};

static void note_change(void *userdata, const char *what, const char *id)
{
    struct named *named = userdata;
    bool added = strcmp(what, "added") == 0, changed = strcmp(what, "changed") == 0;
    char **list = added ? named->added : changed ? named->changed : named->removed;
    size_t *n = added ? &named->n_added : changed ? &named->n_changed : &named->n_removed;

    if (*n < 4095 && (list[*n] = strdup(id)))
        ++*n;
}

static int append_names(sd_bus_message *reply, const char *key, char **names)
{
    int r = append_open(reply, 'e', "sv");

    if (r >= 0)
        r = append_values(reply, "s", key);
    if (r >= 0)
        r = append_open(reply, 'v', "as");
    if (r >= 0)
        r = append_open(reply, 'a', "s");
    for (; r >= 0 && *names; names++)
        r = append_values(reply, "s", *names);
    for (int i = 0; r >= 0 && i < 3; i++)
        r = sd_bus_message_close_container(reply);
    return r;
}

static void free_names(char **names)
{
    for (; *names; names++)
        free(*names);
}

static int answer(const struct reload *reload, struct named *named,
                  const struct manifest_changes *changes)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    int r = sd_bus_message_new_method_return(reload->call, &reply);

    if (r >= 0)
        r = append_open(reply, 'a', "{sv}");
    if (r >= 0)
        r = append_names(reply, "added", named->added);
    if (r >= 0)
        r = append_names(reply, "changed", named->changed);
    if (r >= 0)
        r = append_names(reply, "removed", named->removed);
    if (r >= 0)
        r = append_u32(reply, "unchanged", (uint32_t)changes->unchanged);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    if (r >= 0)
        r = service_acknowledge(reload->service, reply);
    if (r >= 0 && !reload->options.dry_run)
        key_remember(reload->service, &reload->options, reload->uid, reply);
    return r;
}

/* ---- the manifests are there ----------------------------------------------------------------- */

static void apply(const struct reload *reload, const struct manifest_set *set)
{
    struct service *service = reload->service;
    struct manifest_changes changes;
    struct error why = {};
    struct named *named = calloc(1, sizeof(*named));
    int r = -ENOMEM;

    strcpy(why.text, "out of memory");
    if (named)
        r = service->hooks.reload(service->hooks.userdata, set, reload->options.requester,
                                  reload->reason, reload->options.dry_run, &changes, note_change,
                                  named, &why);
    service->hooks.settle(service->hooks.userdata);
    if (r < 0)
        refuse_late(reload->call, PROCTOR_ERROR "InvalidManifest", "%s", why.text);
    else if (answer(reload, named, &changes) < 0)
        refuse_late(reload->call, PROCTOR_ERROR "LimitExceeded", "the answer cannot be sent");
    if (named) {
        free_names(named->added);
        free_names(named->changed);
        free_names(named->removed);
    }
    free(named);
}

/* Without its connection there is nobody who is told what comes of it. */
static bool is_wanted(const struct reload *reload)
{
    struct service *service = reload->service;

    return reload->call && sd_bus_message_get_bus(reload->call) == service->bus &&
           !key_answers(service, reload->call, &reload->options, reload->uid);
}

static void loaded(void *data, int r, const struct manifest_set *set, const char *why)
{
    struct reload *reload = data;

    if (is_wanted(reload)) {
        if (core_shutdown_phase(reload->service->core) != SHUTDOWN_IDLE)
            refuse_late(reload->call, PROCTOR_ERROR "ShuttingDown", "the tree is shutting down");
        else if (r < 0)
            refuse_late(reload->call, PROCTOR_ERROR "InvalidManifest", "%s", why);
        else
            apply(reload, set);
    }
    forget(reload);
}

/* ---- the call -------------------------------------------------------------------------------- */

int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct service *service = userdata;
    const struct caller *caller;
    struct options options;
    const char *reason;

    int r = argument_read(m, "reason", &reason, error);
    if (r >= 0)
        r = command_prepare(service, m, &(struct permission){MAY_CHANGE_TREE, "reload", NULL},
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
                    "nothing was reloaded: the program is just being replaced");
        r->call = sd_bus_message_unref(r->call);
    }
}

/* The loads have gone already, or never call back. */
void reloads_free(struct service *service)
{
    while (service->reloads)
        forget(service->reloads);
}
