/*
 * QueryAudit. The journal can be hundreds of megabytes, so it is searched in a
 * thread; the matching frames come back as bytes, and the reply is built from
 * them step by step in the loop. The time that the search took is charged to
 * the caller, like any other call.
 */
#include "bus/caller.h"
#include "bus/encode.h"
#include "bus/event_log.h"
#include "bus/audit_query.h"

#include "system/beside.h"
#include "bus/bulk.h"
#include "journal/audit.h"
#include "journal/borrow.h"
#include "bus/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct query;

/* What the thread does; the query may go before it has come back. */
struct search {
    struct beside_work work;
    struct query *query;
    void (*run)(struct audit_walk *walk,
                bool (*visit)(void *visit_data, const struct audit_note *note, const uint8_t *frame,
                              size_t size),
                void *visit_data);
    void (*free_walk)(struct audit_walk *walk);
    struct audit_walk *walk;
    struct event_filter *filter;
    uint32_t left;
    uint8_t *frames; /* what was found: whole ones */
    size_t size, room;
    bool failed;
    uint64_t took_usec;
};

struct query {
    uid_t uid;
    uint64_t since_usec;
    uint32_t left;
    struct event_filter *filter; /* until the search has it */
    struct search *search;       /* while the thread is at work */
    bool failed;
    uint8_t *frames;
    size_t size, at;
    uint64_t took_usec;
};

/* ---- beside the loop ------------------------------------------------------------------------- */

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Grows by doubling. If memory runs out the search ends and the call fails; a
 * shortened list would look complete. */
static bool keep(struct search *search, const uint8_t *frame, size_t size)
{
    if (search->size + size > search->room) {
        size_t room =
            search->room * 2 > search->size + size ? search->room * 2 : search->size + size + 65536;
        uint8_t *larger = realloc(search->frames, room);
        search->failed = !larger;
        if (!larger)
            return false;
        search->frames = larger;
        search->room = room;
    }
    memcpy(search->frames + search->size, frame, size);
    search->size += size;
    return true;
}

/* What does not fit into an answer is found out when it is encoded. */
static bool found(void *userdata, const struct audit_note *note, const uint8_t *frame, size_t size)
{
    struct search *search = userdata;
    enum event_kind kind;

    if (event_kind_from_string(note->kind, &kind) < 0 ||
        !event_filter_matches(search->filter, kind, note->child, note->cause))
        return true;
    return keep(search, frame, size) && search->size <= BULK_BYTES_MAX && --search->left > 0;
}

static void search_work(void *data)
{
    struct search *search = data;
    uint64_t began = now_usec();

    search->run(search->walk, found, search);
    search->took_usec = now_usec() - began;
}

/* Back in the loop. The caller may have gone while the thread was searching. */
static void search_done(void *data)
{
    struct search *search = data;
    struct query *query = search->query;

    if (!query)
        return;
    query->search = NULL;
    query->frames = search->frames;
    query->size = search->size;
    query->failed = search->failed;
    query->took_usec = search->took_usec;
    search->frames = NULL;
}

static void search_release(void *data)
{
    struct search *search = data;

    if (search->query)
        search->query->search = NULL;
    search->free_walk(search->walk);
    event_filter_free(search->filter);
    free(search->frames);
    free(search);
}

/* The walk is prepared in the loop, because the extent of the newest segment is
 * only known here. */
static int search_begin(struct service *service, struct query *query)
{
    struct search *search = calloc(1, sizeof(*search));

    if (!search)
        return -ENOMEM;
    *search = (struct search){.query = query,
                              .run = service->hooks.audit_run,
                              .free_walk = service->hooks.audit_free,
                              .filter = query->filter,
                              .left = query->left,
                              .work = {.what = "read the audit",
                                       .work = search_work,
                                       .done = search_done,
                                       .release = search_release,
                                       .data = search}};
    query->filter = NULL;
    search->walk = service->hooks.audit(service->hooks.userdata, query->since_usec);
    if (!search->walk) { /* there is no journal, or it cannot be read: nothing is known */
        search->query = NULL;
        search_release(search);
        return 0;
    }
    query->search = search;
    beside_do(NULL, &search->work);
    return 0;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static int begin(struct service *service, sd_bus_message *m, void *data)
{
    struct query *query = data;
    int r = search_begin(service, query);

    return r < 0 ? r : append_open(m, 'a', "(ttsssa{sv})");
}

/* One row of the reply, with the fields of the event as a dictionary. */
static int append_note(sd_bus_message *m, const struct audit_note *note)
{
    char cause[COMMAND_ID_SIZE];

    command_id_text(note->cause, cause);
    int r = append_open(m, 'r', "ttsssa{sv}");
    if (r >= 0)
        r = append_values(m, "ttsss", note->sequence, note->realtime_usec, note->kind, note->child,
                          cause);
    if (r >= 0)
        r = append_open(m, 'a', "{sv}");
    for (size_t i = 0; r >= 0 && i < note->n_fields; i++)
        r = append_field(m, &note->fields[i]);
    for (int i = 0; r >= 0 && i < 2; i++)
        r = sd_bus_message_close_container(m);
    return r;
}

/* Called again and again until the frames are used up; BULK_LATER while the
 * thread is still searching. */
static int step(struct service *service, sd_bus_message *m, void *data)
{
    struct query *query = data;
    struct borrower borrower = {};
    struct audit_note note;
    struct frame frame;

    if (query->search)
        return BULK_LATER;
    if (query->failed)
        return -ENOMEM;
    pace_charge(service->pace, query->uid, query->took_usec);
    query->took_usec = 0;
    if (query->at >= query->size || frame_next(query->frames, query->size, &query->at, &frame) <= 0)
        return 0;
    struct archive archive = borrow_frame(&frame, &borrower);
    int r = audit_read(&archive, frame.kind, &note) && !archive.failed ? append_note(m, &note) : 0;
    borrow_end(&borrower);
    return r < 0 ? r : 1;
}

static int end(struct service *service, sd_bus_message *m, void *data)
{
    (void)service;
    (void)data;
    return sd_bus_message_close_container(m);
}

static void query_release(void *data)
{
    struct query *query = data;

    if (query->search)
        query->search->query = NULL;
    event_filter_free(query->filter);
    free(query->frames);
    free(query);
}

/* Reading needs no permission. The number of entries is bounded whatever the
 * caller asks for. */
int method_query_audit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    static const struct bulk_maker maker = {
        .begin = begin, .step = step, .end = end, .release = query_release};
    struct service *service = userdata;
    const struct caller *caller = caller_known(service, m);
    struct event_filter *filter;
    uint64_t since;
    uint32_t max;
    int r = sd_bus_message_read(m, "tu", &since, &max);

    if (r >= 0)
        r = event_filter_read(m, &filter, error);
    if (r < 0)
        return r;
    struct query *query = calloc(1, sizeof(*query));
    if (!query) {
        event_filter_free(filter);
        return -ENOMEM;
    }
    *query = (struct query){.uid = caller ? caller->uid : (uid_t)-1,
                            .since_usec = since,
                            .left = max == 0 || max > AUDIT_MAX ? AUDIT_MAX : max,
                            .filter = filter};
    return bulk_answer(service, m, &maker, query, error);
}
