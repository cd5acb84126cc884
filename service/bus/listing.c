/*
 * ListChildren and CurrentState, in steps.
 */
#include "bus/child_object.h"
#include "bus/encode.h"
#include "bus/path.h"
#include "bus/listing.h"

#include "bus/bulk.h"
#include "bus/cursor.h"
#include "bus/private.h"

#include <errno.h>
#include <stdlib.h>

struct listing {
    struct cursor cursor;
    uint64_t sequence; /* of the last event when it began */
};

static void listing_release(void *data)
{
    struct listing *listing = data;

    if (listing)
        cursor_end(&listing->cursor);
    free(listing);
}

static int answer(sd_bus_message *m, struct service *service, const struct bulk_maker *maker,
                  sd_bus_error *error)
{
    struct listing *listing = calloc(1, sizeof(*listing));
    return listing ? bulk_answer(service, m, maker, listing, error) : -ENOMEM;
}

/* ---- ListChildren ---------------------------------------------------------------------------- */

static int list_begin(struct service *service, sd_bus_message *m, void *data)
{
    struct listing *listing = data;
    int r = cursor_begin(&listing->cursor, service->core);

    return r < 0 ? r : append_open(m, 'a', "(sosssttbsub)");
}

/* One child in brief. */
static int append_list_row(sd_bus_message *m, const struct child *child)
{
    struct restart_limit_view limit = restart_limit_view(&child->restart_limit);
    char *path = path_of_child(child->id);
    int r = path ? append_values(m, "(sosssttbsub)", child->id, path,
                                 child_operation_to_string(child->operation),
                                 child_status_to_string(child_status(child)),
                                 readiness_to_string(child->readiness), child->generation,
                                 child_attempt(child), child->heartbeat_stale,
                                 stop_state_to_string(child->stop_state), limit.remaining,
                                 limit.exhausted)
                 : -ENOMEM;

    free(path);
    return r;
}

static int list_step(struct service *service, sd_bus_message *m, void *data)
{
    struct listing *listing = data;
    const struct child *child = cursor_next(&listing->cursor, service->core);
    int r = child ? append_list_row(m, child) : 0;

    return r < 0 ? r : child != NULL;
}

static int list_end(struct service *service, sd_bus_message *m, void *data)
{
    (void)service;
    (void)data;
    return sd_bus_message_close_container(m);
}

int method_list_children(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    static const struct bulk_maker maker = {
        .begin = list_begin, .step = list_step, .end = list_end, .release = listing_release};

    return answer(m, userdata, &maker, error);
}

/* ---- CurrentState ---------------------------------------------------------------------------- */

/* Words and numbers. */
static int append_counts(sd_bus_message *m, const char *key, const char *(*word)(int),
                         const uint32_t *counts, int n)
{
    int r = append_open(m, 'e', "sv");

    if (r >= 0)
        r = append_values(m, "s", key);
    if (r >= 0)
        r = append_open(m, 'v', "a{su}");
    if (r >= 0)
        r = append_open(m, 'a', "{su}");
    for (int i = 0; r >= 0 && i < n; i++)
        r = append_values(m, "{su}", word(i), counts[i]);
    for (int i = 0; r >= 0 && i < 3; i++)
        r = sd_bus_message_close_container(m);
    return r;
}

static const char *operation_word(int i)
{
    return child_operation_to_string((enum child_operation)i);
}

static const char *status_word(int i)
{
    return child_status_to_string((enum child_status)i);
}

static int append_totals(struct service *service, sd_bus_message *m)
{
    uint32_t operations[4] = {}, statuses[6] = {};

    for (struct child *child = core_first(service->core); child; child = core_next(child)) {
        operations[child->operation]++;
        statuses[child_status(child)]++;
    }
    int r = append_counts(m, "operations", operation_word, operations, 4);
    return r < 0 ? r : append_counts(m, "statuses", status_word, statuses, 6);
}

/* The sequence number now, and again at the end: if both are equal, the whole
 * is consistent. */
static int state_begin(struct service *service, sd_bus_message *m, void *data)
{
    struct listing *listing = data;
    int r = cursor_begin(&listing->cursor, service->core);

    listing->sequence = core_sequence(service->core);
    if (r >= 0)
        r = append_open(m, 'a', "{sv}");
    if (r >= 0)
        r = append_totals(service, m);
    if (r >= 0)
        r = append_text(m, "shutdown_phase",
                        shutdown_phase_to_string(core_shutdown_phase(service->core)));
    if (r >= 0)
        r = append_number(m, "sequence", listing->sequence);
    if (r >= 0)
        r = append_open(m, 'e', "sv");
    if (r >= 0)
        r = append_values(m, "s", "children");
    if (r >= 0)
        r = append_open(m, 'v', "aa{sv}");
    return r < 0 ? r : append_open(m, 'a', "a{sv}");
}

static int state_step(struct service *service, sd_bus_message *m, void *data)
{
    struct listing *listing = data;
    struct child *child = cursor_next(&listing->cursor, service->core);
    int r = child ? child_append_properties(service, m, child) : 0;

    return r < 0 ? r : child != NULL;
}

static int state_end(struct service *service, sd_bus_message *m, void *data)
{
    int r = 0;

    (void)data;
    for (int i = 0; r >= 0 && i < 3; i++)
        r = sd_bus_message_close_container(m);
    if (r >= 0)
        r = append_number(m, "until_sequence", core_sequence(service->core));
    return r < 0 ? r : sd_bus_message_close_container(m);
}

int method_current_state(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    static const struct bulk_maker maker = {
        .begin = state_begin, .step = state_step, .end = state_end, .release = listing_release};

    return answer(m, userdata, &maker, error);
}
