/*
 * What the bus has to do with the journal: no acknowledgement before what it acknowledges is
 * durable, and the audit for who asks.
 */
#include "audit.h"
#include "private.h"

#include <errno.h>
#include <string.h>

#define AUDIT_MAX 10000 /* lines in one answer */

/* ---- acknowledgements ------------------------------------------------------------------------ */

void held_send(struct service *service)
{
    int r = service->n_held > 0 ? service->hooks.sync(service->hooks.userdata) : 0;

    for (size_t i = 0; i < service->n_held; i++) {
        sd_bus_message *reply = service->held[i];
        service->held[i] = NULL;
        /* What could not be made durable has been done all the same: the property Durability and
         * the log say that it is lost where the power fails now. */
        if (sd_bus_message_get_bus(reply) == service->bus)
            sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
    }
    service->n_held = 0;
    (void)r;
}

static int held_for_long_enough(sd_event_source *source, void *userdata)
{
    (void)source;
    held_send(userdata);
    return 0;
}

/* With durability `power`, all that are to be answered in one go share one fdatasync(2). */
int service_acknowledge(struct service *service, sd_bus_message *reply)
{
    int r;

    if (!service->hooks.syncs(service->hooks.userdata))
        return sd_bus_send(NULL, reply, NULL);
    if (!service->held_source) {
        r = sd_event_add_defer(service->event, &service->held_source, held_for_long_enough,
                               service);
        if (r >= 0) /* when no call is left to be read */
            r = sd_event_source_set_priority(service->held_source, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r < 0)
            return r;
    }
    r = sd_bus_message_seal(reply, 1, 0);
    if (r < 0)
        return r;
    service->held[service->n_held++] = sd_bus_message_ref(reply);
    if (service->n_held == HELD_MAX)
        held_send(service);
    else
        sd_event_source_set_enabled(service->held_source, SD_EVENT_ONESHOT);
    return 0;
}

void held_free(struct service *service)
{
    held_send(service);
    sd_event_source_disable_unref(service->held_source);
}

/* A change that can not be written down is refused, unless the operator has said otherwise. */
int journal_check(struct service *service, sd_bus_error *error)
{
    const char *why = service->hooks.unwritten(service->hooks.userdata);

    if (!why || service->settings.accept_unwritten)
        return 0;
    return refuse_call(error, PROCTOR_ERROR "NotDurable",
                       "the journal can not be written (%s): nothing is changed; see "
                       "--on-journal-error",
                       why);
}

/* ---- audit ----------------------------------------------------------------------------------- */

struct answer {
    sd_bus_message *reply;
    const struct event_filter *filter;
    const char *by;
    uint32_t left;
    int r;
};

static int append_note(sd_bus_message *reply, const struct audit_note *note)
{
    char cause[COMMAND_ID_SIZE];

    command_id_text(note->cause, cause);
    int r = append_open(reply, 'r', "ttsssa{sv}");
    if (r >= 0)
        r = append_values(reply, "ttsss", note->sequence, note->realtime_usec, note->kind,
                          note->child, cause);
    if (r >= 0)
        r = append_open(reply, 'a', "{sv}");
    for (size_t i = 0; r >= 0 && i < note->n_fields; i++)
        r = append_field(reply, &note->fields[i]);
    for (int i = 0; r >= 0 && i < 2; i++)
        r = sd_bus_message_close_container(reply);
    return r;
}

static bool tell_note(void *userdata, const struct audit_note *note)
{
    struct answer *answer = userdata;
    enum event_kind known;

    if (event_kind_from_string(note->kind, &known) < 0 ||
        !event_filter_matches(answer->filter, known, note->child, note->cause))
        return true;
    answer->r = append_note(answer->reply, note);
    return answer->r >= 0 && --answer->left > 0;
}

int method_query_audit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *reply = NULL;
    struct service *service = userdata;
    struct event_filter *filter;
    struct answer answer = {};
    uint64_t since;
    int r = sd_bus_message_read(m, "tu", &since, &answer.left);

    if (r >= 0)
        r = event_filter_read(m, &filter, error);
    if (r < 0)
        return r;
    answer.filter = filter;
    if (answer.left == 0 || answer.left > AUDIT_MAX)
        answer.left = AUDIT_MAX;
    r = sd_bus_message_new_method_return(m, &reply);
    answer.reply = reply;
    if (r >= 0)
        r = append_open(reply, 'a', "(ttsssa{sv})");
    if (r >= 0) {
        service->hooks.audit(service->hooks.userdata, since, tell_note, &answer);
        r = answer.r;
    }
    event_filter_free(filter);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
