/*
 * The last events, in a ring, for QueryEvents and for subscribers that came
 * late. Each is copied with all its texts, as the core's event only lives as
 * long as the call that reports it.
 */
#include "bus/event_log.h"

#include "bus/encode.h"
#include "bus/options.h"
#include "core/vocabulary/invariant.h"
#include "bus/bulk.h"
#include "bus/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FILTER_CHILDREN_MAX 64
#define SLOT_ROOM           448 /* bytes: the end of a process with all its fields fits */

/* Followed by its fields, and those by their texts. */
struct logged_event {
    struct event event; /* without its child, with its own fields */
    const char *child;
};

struct slot {
    struct logged_event *logged; /* in room, or a block of its own; NULL: none */
    _Alignas(struct logged_event) char room[SLOT_ROOM];
};

struct event_log {
    struct slot slots[EVENT_LOG_SIZE];
};

int event_log_new(struct event_log **log)
{
    *log = mmap(NULL, sizeof(**log), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (*log != MAP_FAILED)
        return 0;
    *log = NULL;
    return -ENOMEM;
}

static void slot_clear(struct slot *slot)
{
    if ((char *)slot->logged != slot->room)
        free(slot->logged);
    slot->logged = NULL;
}

void event_log_free(struct event_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < EVENT_LOG_SIZE; i++)
        slot_clear(&log->slots[i]);
    munmap(log, sizeof(*log));
}

static size_t text_size(const struct event *event)
{
    size_t size = event->child ? strlen(event->child->id) + 1 : 1;

    for (size_t i = 0; i < event->n_fields; i++)
        if (event->fields[i].type == FIELD_TEXT)
            size += strlen(event->fields[i].text) + 1;
    return size;
}

static const char *put(char **at, const char *text)
{
    char *copy = *at;
    size_t size = strlen(text) + 1;

    memcpy(copy, text, size);
    *at += size;
    return copy;
}

/* Small events fit into the slot itself; others are allocated. Without memory
 * the event still goes to subscribers, but cannot be asked for later. */
void event_log_add(struct event_log *log, const struct event *event)
{
    struct slot *slot = &log->slots[event->sequence % EVENT_LOG_SIZE];
    size_t size = sizeof(struct logged_event) + event->n_fields * sizeof(struct event_field) +
                  text_size(event);

    slot_clear(slot);
    slot->logged = size <= SLOT_ROOM ? (struct logged_event *)(void *)slot->room : malloc(size);
    struct logged_event *copy = slot->logged;
    INVARIANT(event->n_fields == 0 || event->fields);
    if (!copy)
        return; /* the stream continues; this one cannot be asked for later */
    struct event_field *fields = (struct event_field *)(void *)(copy + 1);
    char *text = (char *)(fields + event->n_fields);
    copy->event = *event;
    copy->event.fields = fields;
    copy->event.child = NULL;
    copy->child = put(&text, event->child ? event->child->id : "");
    for (size_t i = 0; i < event->n_fields; i++) {
        fields[i] = event->fields[i];
        if (fields[i].type == FIELD_TEXT)
            fields[i].text = put(&text, event->fields[i].text);
    }
    INVARIANT(text == (char *)copy + size); /* as text_size() has it */
}

/* ---- filters --------------------------------------------------------------------------------- */

struct event_filter {
    bool by_kind, by_child, by_command;
    struct command_id command;
    bool kinds[EVENT_KINDS];
    char *children[FILTER_CHILDREN_MAX];
    size_t n_children;
};

void event_filter_free(struct event_filter *filter)
{
    if (!filter)
        return;
    for (size_t i = 0; i < filter->n_children; i++)
        free(filter->children[i]);
    free(filter);
}

static int refuse(sd_bus_error *error, const char *name, const char *why, const char *value)
{
    return refuse_call(error, PROCTOR_ERROR "InvalidArgument", "filter: %s: %s%.64s", name, why,
                       value);
}

static int read_kind(struct event_filter *filter, const char *word, sd_bus_error *error)
{
    enum event_kind kind;

    if (event_kind_from_string(word, &kind) < 0)
        return refuse(error, "kinds", "unknown kind ", word);
    filter->kinds[kind] = true;
    return 0;
}

/* One id of a filter. */
static int read_child(struct event_filter *filter, const char *id, sd_bus_error *error)
{
    if (!child_id_valid(id))
        return refuse(error, "children", "not the id of a child: ", id);
    if (filter->n_children == FILTER_CHILDREN_MAX)
        return refuse(error, "children", "more than 64", "");
    filter->children[filter->n_children] = strdup(id);
    if (!filter->children[filter->n_children])
        return -ENOMEM;
    filter->n_children++;
    return 0;
}

static int read_command(sd_bus_message *m, struct event_filter *filter, sd_bus_error *error)
{
    const char *text;

    if (sd_bus_message_read(m, "v", "s", &text) < 0)
        return refuse(error, "command", "expected a string", "");
    filter->by_command = true;
    return command_id_parse(text, &filter->command) < 0
               ? refuse(error, "command", "not a command id, such as 70a08124-2: ", text)
               : 0;
}

/* A list of ids or of kinds. An unknown kind is an error: a filter with a
 * typing mistake would silently match nothing. */
static int read_list(sd_bus_message *m, struct event_filter *filter, const char *name,
                     sd_bus_error *error)
{
    bool kinds = strcmp(name, "kinds") == 0;
    const char *item;
    int r;

    if (!kinds && strcmp(name, "children") != 0)
        return refuse(error, name, "unknown (known are children, command, kinds)", "");
    if (sd_bus_message_enter_container(m, 'v', "as") < 0 ||
        sd_bus_message_enter_container(m, 'a', "s") < 0)
        return refuse(error, name, "expected a list of strings", "");
    *(kinds ? &filter->by_kind : &filter->by_child) = true;
    while ((r = argument_read(m, name, &item, error)) > 0) {
        r = kinds ? read_kind(filter, item, error) : read_child(filter, item, error);
        if (r < 0)
            return r;
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* All keys are optional. */
static int read_filter(sd_bus_message *m, struct event_filter *filter, sd_bus_error *error)
{
    const char *name;
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = argument_read(m, "filter", &name, error);
        if (r >= 0)
            r = strcmp(name, "command") == 0 ? read_command(m, filter, error)
                                             : read_list(m, filter, name, error);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* The filter belongs to the caller. */
int event_filter_read(sd_bus_message *m, struct event_filter **filter, sd_bus_error *error)
{
    struct event_filter *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;

    int r = read_filter(m, fresh, error);
    if (r < 0) {
        event_filter_free(fresh);
        return r;
    }
    *filter = fresh;
    return 0;
}

/* All conditions have to hold. */
bool event_filter_matches(const struct event_filter *filter, enum event_kind kind,
                          const char *child, struct command_id cause)
{
    INVARIANT(kind < EVENT_KINDS);
    if (filter->by_kind && !filter->kinds[kind])
        return false;
    if (filter->by_command &&
        (filter->command.number != cause.number || filter->command.instance != cause.instance))
        return false;
    for (size_t i = 0; i < filter->n_children; i++)
        if (strcmp(filter->children[i], child) == 0)
            return true;
    return !filter->by_child;
}

/* Writes it, or reads it into a new one; NULL where there is no memory. */
void event_filter_archive(struct event_filter **filter, struct archive *archive)
{
    INVARIANT(archive_is_sound(archive));
    if (archive->reading)
        *filter = calloc(1, sizeof(**filter));
    if (!*filter) {
        archive->failed = true;
        return;
    }
    ARCHIVE((archive), (*filter)->by_kind);
    ARCHIVE((archive), (*filter)->by_child);
    ARCHIVE((archive), (*filter)->by_command);
    ARCHIVE((archive), (*filter)->command.instance);
    ARCHIVE((archive), (*filter)->command.number);
    size_t kinds = EVENT_KINDS; /* the program before may have known fewer */
    archive_count(archive, &kinds, EVENT_KINDS);
    for (size_t i = 0; i < kinds; i++)
        ARCHIVE((archive), (*filter)->kinds[i]);
    size_t count = (*filter)->n_children;
    archive_count(archive, &count, FILTER_CHILDREN_MAX);
    for (size_t i = 0; i < count && !archive->failed; i++) {
        char id[CHILD_ID_MAX + 1] = "";
        if (!archive->reading)
            snprintf(id, sizeof(id), "%s", (*filter)->children[i]);
        archive_text(archive, id, sizeof(id));
        if (archive->reading && ((*filter)->children[i] = strdup(id)))
            (*filter)->n_children++;
    }
}

void event_log_visit(const struct service *service, uint64_t after,
                     void (*visit)(void *userdata, const struct event *event, const char *child),
                     void *userdata)
{
    INVARIANT(visit);
    for (uint64_t sequence = after + 1; sequence <= core_sequence(service->core); sequence++) {
        const struct logged_event *logged = service->log->slots[sequence % EVENT_LOG_SIZE].logged;
        if (logged && logged->event.sequence == sequence)
            visit(userdata, &logged->event, logged->child);
    }
}

/* ---- QueryEvents ----------------------------------------------------------------------------- */

struct query {
    struct event_filter *filter;
    uint64_t next, last; /* sequences */
    uint32_t left;
};

static void query_release(void *data)
{
    struct query *query = data;

    event_filter_free(query->filter);
    free(query);
}

static int query_begin(struct service *service, sd_bus_message *m, void *data)
{
    (void)service;
    (void)data;
    return append_open(m, 'a', "(tttsssa{sv})");
}

/* One event per step; those that have been overwritten meanwhile are
 * skipped. */
static int query_step(struct service *service, sd_bus_message *m, void *data)
{
    struct query *query = data;

    if (query->next > query->last || query->left == 0)
        return 0;
    uint64_t sequence = query->next++;
    const struct logged_event *logged = service->log->slots[sequence % EVENT_LOG_SIZE].logged;
    if (!logged || logged->event.sequence != sequence ||
        !event_filter_matches(query->filter, logged->event.kind, logged->child,
                              (struct command_id){service->instance, logged->event.cause}))
        return 1;
    query->left--;
    int r = append_open(m, 'r', "tttsssa{sv}");
    if (r >= 0)
        r = append_event(service, m, &logged->event, logged->child);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : 1;
}

static int query_end(struct service *service, sd_bus_message *m, void *data)
{
    (void)service;
    (void)data;
    return sd_bus_message_close_container(m);
}

/* The range is fixed now: events that are added during the reply are not in
 * it. */
int event_log_query(struct service *service, sd_bus_message *call, uint64_t after, uint32_t max,
                    struct event_filter *filter, sd_bus_error *error)
{
    static const struct bulk_maker maker = {
        .begin = query_begin, .step = query_step, .end = query_end, .release = query_release};
    struct query *query = calloc(1, sizeof(*query));
    uint64_t last = core_sequence(service->core);
    uint64_t first = last > EVENT_LOG_SIZE ? last - EVENT_LOG_SIZE + 1 : 1;

    if (!query) {
        event_filter_free(filter);
        return -ENOMEM;
    }
    if (after >= first)
        first = after < last ? after + 1 : last + 1;
    *query = (struct query){.filter = filter, .next = first, .last = last, .left = max};
    return bulk_answer(service, call, &maker, query, error);
}
