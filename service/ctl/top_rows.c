#include "ctl/fields.h"
#include "ctl/call.h"
#include "ctl/terminal.h"
#include "ctl/top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void row_free(struct top_row *row)
{
    free(row->id);
    free(row->state);
    free(row->explanation);
}

void top_free(struct top *top)
{
    for (size_t i = 0; i < top->count; i++)
        row_free(&top->rows[i]);
    free(top->rows);
    free(top->shown);
    free(top->selected.id);
    free(top->events);
}

void top_say(struct top *top, bool bad, const char *text)
{
    char *shown = text_shown(text);

    top->bad_message = bad;
    snprintf(top->message, sizeof(top->message), "%s", shown ? shown : "");
    free(shown);
}

/* ---- a look ---------------------------------------------------------------------------------- */

static bool is_from(const struct top_row *row, const char *host)
{
    return host ? row->host && strcmp(row->host, host) == 0 : !row->host;
}

/* Rows keep their place from one look to the next, and so mostly do children: index is where it is
 * likely to be. */
static struct top_row *row_of(struct top *top, const char *host, const char *id, size_t index)
{
    if (index < top->count && strcmp(top->rows[index].id, id) == 0 &&
        is_from(&top->rows[index], host))
        return &top->rows[index];
    for (size_t i = 0; i < top->count; i++)
        if (strcmp(top->rows[i].id, id) == 0 && is_from(&top->rows[i], host))
            return &top->rows[i];
    struct top_row *rows = realloc(top->rows, (top->count + 1) * sizeof(*rows));
    if (!rows)
        return NULL;
    top->rows = rows;
    rows[top->count] = (struct top_row){.host = host, .id = strdup(id), .cpu = -1};
    return rows[top->count].id ? &rows[top->count++] : NULL;
}

/* It comes onto the screen. */
static void replace(char **text, const char *by)
{
    if (*text && strcmp(*text, by) == 0)
        return;
    free(*text);
    *text = text_shown(by);
}

static void note_history(struct top_row *row, bool fresh, uint64_t attempt, uint64_t cpu_nsec,
                         uint64_t passed_usec)
{
    uint64_t starts = fresh || attempt < row->attempt ? 0 : attempt - row->attempt;
    bool measured = !fresh && passed_usec > 0 && cpu_nsec >= row->cpu_nsec;

    row->cpu = measured ? (double)(cpu_nsec - row->cpu_nsec) / 1000 / (double)passed_usec : -1;
    memmove(row->cpu_then, row->cpu_then + 1, sizeof(row->cpu_then) - sizeof(row->cpu_then[0]));
    memmove(row->starts_then, row->starts_then + 1,
            sizeof(row->starts_then) - sizeof(row->starts_then[0]));
    row->cpu_then[HISTORY - 1] = row->cpu > 0 ? (float)row->cpu : 0;
    row->starts_then[HISTORY - 1] = (uint16_t)(starts < UINT16_MAX ? starts : UINT16_MAX);
}

/* Whose answer is being read. */
struct look {
    const char *host;
    uint64_t passed_usec; /* since the one before */
    size_t first;         /* its first row, mostly */
};

static void note_child(struct top *top, const struct look *look, const struct fields *fields,
                       size_t index)
{
    const char *operation = fields_text(fields, "Operation");
    bool active = strcmp(operation, "active") == 0;
    size_t before = top->count;
    struct top_row *row = row_of(top, look->host, fields_text(fields, "Id"), index);

    if (!row)
        return;
    /* No attempt is active: the last number is not shown any more. */
    uint64_t attempt = (uint64_t)fields_number(fields, "Attempt");
    if (attempt == 0)
        attempt = row->attempt;
    note_history(row, top->count > before, attempt, (uint64_t)fields_number(fields, "CPUUsageNSec"),
                 look->passed_usec);
    row->seen = true;
    row->attempt = attempt;
    row->cpu_nsec = (uint64_t)fields_number(fields, "CPUUsageNSec");
    row->memory = (uint64_t)fields_number(fields, "MemoryCurrent");
    row->pid = (uint32_t)fields_number(fields, "MainPID");
    row->started_usec = row->pid > 0 ? (uint64_t)fields_number(fields, "StartedUSec") : 0;
    replace(&row->state, active ? fields_text(fields, "Status") : operation);
    replace(&row->explanation, fields_text(fields, "Explanation"));
    row->good =
        active && strcmp(row->state, "ready") == 0 && !fields_number(fields, "HeartbeatStale");
    row->bad = strcmp(operation, "quarantined") == 0 ||
               fields_number(fields, "RestartLimitExhausted") ||
               fields_number(fields, "HeartbeatStale");
}

static int read_children(struct top *top, const struct look *look, sd_bus_message *m)
{
    int r = sd_bus_message_enter_container(m, 'v', "aa{sv}");

    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
    for (size_t i = 0; r >= 0 && sd_bus_message_at_end(m, false) == 0; i++) {
        struct fields fields;
        r = fields_read(m, &fields);
        if (r >= 0)
            note_child(top, look, &fields, look->first + i);
    }
    for (int i = 0; r >= 0 && i < 2; i++)
        r = sd_bus_message_exit_container(m);
    return r;
}

static int read_state(struct top *top, const struct look *look, sd_bus_message *m)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *key, *phase;
        r = sd_bus_message_read(m, "s", &key);
        if (r < 0)
            return r;
        if (strcmp(key, "children") == 0) {
            r = read_children(top, look, m);
        } else if (strcmp(key, "shutdown_phase") == 0) {
            r = sd_bus_message_read(m, "v", "s", &phase);
            if (r >= 0)
                snprintf(top->phase, sizeof(top->phase), "%s", phase);
        } else {
            r = sd_bus_message_skip(m, "v");
        }
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

static void forget_unseen(struct top *top, const char *host)
{
    size_t kept = 0;

    for (size_t i = 0; i < top->count; i++) {
        if (is_from(&top->rows[i], host) && !top->rows[i].seen) {
            row_free(&top->rows[i]);
            continue;
        }
        if (kept != i)
            top->rows[kept] = top->rows[i];
        kept++;
    }
    top->count = kept;
}

/* What the head of the screen says of all rows. */
static void count_rows(struct top *top)
{
    top->active = top->failed = top->silent = 0;
    for (size_t i = 0; i < top->count; i++) {
        top->silent += !top->rows[i].id[0];
        top->active += top->rows[i].pid > 0;
        top->failed += top->rows[i].bad;
    }
}

/* Returns the first of them. */
static size_t begin_host(struct top *top, const char *host)
{
    size_t first = top->count;

    for (size_t i = top->count; i-- > 0;)
        if (is_from(&top->rows[i], host)) {
            top->rows[i].seen = false;
            first = i;
        }
    return first;
}

int top_take(struct top *top, const char *host, sd_bus_message *reply, uint64_t *looked_usec)
{
    uint64_t now = now_usec();
    struct look look = {.host = host,
                        .passed_usec = *looked_usec > 0 ? now - *looked_usec : 0,
                        .first = begin_host(top, host)};

    *looked_usec = now;
    int r = read_state(top, &look, reply);
    if (r >= 0)
        forget_unseen(top, host);
    count_rows(top);
    return r;
}

void top_take_none(struct top *top, const char *host, const char *state, const char *why)
{
    size_t first = begin_host(top, host);
    struct top_row *row = row_of(top, host, "", first);

    if (!row)
        return;
    row->seen = true;
    row->bad = true;
    replace(&row->state, state);
    replace(&row->explanation, why);
    forget_unseen(top, host);
    count_rows(top);
}

int top_look(struct top *top)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_method(top->client, PATH, MANAGER, "CurrentState", &error, &reply, NULL);
    if (r < 0) {
        top_say(top, true, error.message ? error.message : strerror(-r));
        return sd_bus_error_is_set(&error) && sd_bus_is_open(top->client->bus) > 0 ? 0 : r;
    }
    return top_take(top, NULL, reply, &top->looked_usec);
}

/* ---- order ----------------------------------------------------------------------------------- */

const char *top_sort_name(enum sort sort)
{
    static const char *const names[] = {"trouble first", "by name", "by cpu", "by memory",
                                        "by starts"};
    return names[sort];
}

static int more(double x, double y)
{
    return (x < y) - (x > y);
}

/* Trouble comes first, then what is held or not ready yet; what is as it should be, or has nothing
 * to run, comes last. */
static int rank(const struct top_row *row)
{
    if (row->bad)
        return 0;
    return row->good || strcmp(row->state, "none") == 0 ? 2 : 1;
}

static int compare_rows(const struct top *top, const struct top_row *x, const struct top_row *y)
{
    int order = 0;

    switch (top->sort) {
    case SORT_TROUBLE:
        order = rank(x) != rank(y) ? rank(x) - rank(y) : strcmp(x->state, y->state);
        break;
    case SORT_CPU:
        order = more(x->cpu, y->cpu);
        break;
    case SORT_MEMORY:
        order = more((double)x->memory, (double)y->memory);
        break;
    case SORT_STARTS:
        order = more((double)x->attempt, (double)y->attempt);
        break;
    case SORT_NAME:
    case SORTS:
        break;
    }
    if (order == 0 && x->host && y->host && top->sort != SORT_NAME)
        order = strcmp(x->id, y->id);
    if (order == 0 && x->host && y->host)
        order = strcmp(x->host, y->host);
    return order ? order : strcmp(x->id, y->id);
}

static int compare(const void *a, const void *b, void *userdata)
{
    const struct top *top = userdata;
    return compare_rows(top, &top->rows[*(const size_t *)a], &top->rows[*(const size_t *)b]);
}

static size_t place_of_selected(const struct top *top)
{
    for (size_t i = 0; top->selected.id && i < top->n_shown; i++) {
        const struct top_row *row = &top->rows[top->shown[i]];
        if (strcmp(row->id, top->selected.id) == 0 && is_from(row, top->selected.host))
            return i;
    }
    return SIZE_MAX;
}

static void select_place(struct top *top, size_t place)
{
    replace(&top->selected.id, top->rows[top->shown[place]].id);
    top->selected.host = top->rows[top->shown[place]].host;
    if (place < top->offset)
        top->offset = place;
    if (top->fit > 0 && place >= top->offset + top->fit)
        top->offset = place - top->fit + 1;
}

/* A host that cannot be asked is always shown. */
static bool passes(const struct top *top, const struct top_row *row)
{
    return !top->filter[0] || !row->id[0] || strstr(row->id, top->filter);
}

void top_arrange(struct top *top)
{
    size_t *shown = realloc(top->shown, (top->count + 1) * sizeof(*shown));

    if (!shown)
        return;
    top->shown = shown;
    top->n_shown = 0;
    for (size_t i = 0; i < top->count; i++)
        if (passes(top, &top->rows[i]))
            shown[top->n_shown++] = i;
    qsort_r(shown, top->n_shown, sizeof(*shown), compare, top);
    if (top->n_shown == 0)
        return;
    size_t place = place_of_selected(top);
    select_place(top, place == SIZE_MAX ? 0 : place);
}

struct top_row *top_selected(struct top *top)
{
    size_t place = place_of_selected(top);
    return place == SIZE_MAX ? NULL : &top->rows[top->shown[place]];
}

void top_select(struct top *top, long by)
{
    size_t place = place_of_selected(top);

    if (place == SIZE_MAX)
        return;
    if (by < 0)
        place = place > (size_t)-by ? place - (size_t)-by : 0;
    else
        place = place + (size_t)by < top->n_shown ? place + (size_t)by : top->n_shown - 1;
    select_place(top, place);
}
