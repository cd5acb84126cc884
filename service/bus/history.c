/*
 * Replies that wait for the journal. With --durability=power, a change is
 * acknowledged when it is on the disk; until then the reply is kept here, in
 * order.
 */
#include "bus/history.h"

#include "core/vocabulary/invariant.h"
#include "bus/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- acknowledgements ------------------------------------------------------------------------ */

/* What could not be made durable has been done all the same: the property Durability and the log
 * say that it is lost where the power fails now. */
static void send_held(const struct service *service, sd_bus_message *reply)
{
    if (sd_bus_message_get_bus(reply) == service->bus)
        sd_bus_send(NULL, reply, NULL);
    sd_bus_message_unref(reply);
}

static void send_first(struct service *service, size_t count)
{
    INVARIANT(count <= service->n_held);
    for (size_t i = 0; i < count; i++)
        send_held(service, service->held[i].reply);
    service->n_held -= count;
    memmove(service->held, service->held + count, service->n_held * sizeof(*service->held));
}

void held_send(struct service *service)
{
    if (service->n_held > 0)
        send_first(service, service->n_held);
}

void service_journal_moved(struct service *service)
{
    size_t count = 0;

    while (count < service->n_held &&
           service->hooks.is_past(service->hooks.userdata, service->held[count].mark))
        count++;
    if (count > 0)
        send_first(service, count);
}

/* Doubles. */
static int make_room(struct service *service)
{
    if (service->n_held < service->held_room)
        return 0;
    size_t room = service->held_room > 0 ? service->held_room * 2 : 64;
    struct held *larger = realloc(service->held, room * sizeof(*larger));
    if (!larger)
        return -ENOMEM;
    service->held = larger;
    service->held_room = room;
    return 0;
}

/* With durability `power` an answer waits for the sync of what it acknowledges, which all that came
 * in the same turn share. */
int service_acknowledge(struct service *service, sd_bus_message *reply)
{
    if (!service->hooks.syncs(service->hooks.userdata))
        return sd_bus_send(NULL, reply, NULL);
    int r = make_room(service);
    if (r >= 0)
        r = sd_bus_message_seal(reply, 1, 0);
    if (r < 0)
        return r;
    uint64_t mark = service->hooks.mark(service->hooks.userdata);
    /* Those that are past stand first. */
    INVARIANT(service->n_held == 0 || service->held[service->n_held - 1].mark <= mark);
    service->held[service->n_held++] =
        (struct held){.reply = sd_bus_message_ref(reply), .mark = mark};
    return 0;
}

void held_free(struct service *service)
{
    held_send(service);
    free(service->held);
}

/* A change that cannot be written down is refused, unless the operator has said otherwise. */
int journal_check(struct service *service, sd_bus_error *error)
{
    const char *why = service->hooks.unwritten(service->hooks.userdata);

    if (service->n_held >= HELD_MAX)
        return refuse_call(
            error, SD_BUS_ERROR_LIMITS_EXCEEDED,
            "%zu replies are already waiting for the journal's disk: nothing was changed",
            service->n_held);
    if (!why || service->settings.accept_unwritten)
        return 0;
    return refuse_call(error, PROCTOR_ERROR "NotDurable",
                       "the journal cannot be written (%s): nothing was changed; see "
                       "--on-journal-error",
                       why);
}
