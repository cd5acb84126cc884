/*
 * timers: the children that have a schedule, in the order in which they are due.
 */
#include "ctl/call.h"
#include "ctl/document.h"
#include "ctl/fields.h"
#include "ctl/story.h"
#include "ctl/table.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* The texts are the reply's. */
struct timer_row {
    const char *id, *schedule, *status, *operation;
    uint64_t next_usec, last_usec;
};

struct timer_rows {
    struct timer_row *rows;
    size_t count;
};

static bool wanted(const struct client *client, const char *id)
{
    for (int i = 0; i < client->n_arguments; i++)
        if (fnmatch(client->arguments[i], id, 0) == 0)
            return true;
    return client->n_arguments == 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int add(struct client *client, struct timer_rows *rows, const struct fields *fields)
{
    const char *schedule = fields_text(fields, "Schedule");

    if (!schedule[0] || !wanted(client, fields_text(fields, "Id")))
        return 0;
    struct timer_row *larger = reallocarray(rows->rows, rows->count + 1, sizeof(struct timer_row));
    if (!larger)
        return -ENOMEM;
    rows->rows = larger;
    rows->rows[rows->count++] =
        (struct timer_row){.id = fields_text(fields, "Id"),
                           .schedule = schedule,
                           .status = fields_text(fields, "Status"),
                           .operation = fields_text(fields, "Operation"),
                           .next_usec = (uint64_t)fields_number(fields, "NextRunUSec"),
                           .last_usec = (uint64_t)fields_number(fields, "LastRunUSec")};
    return 0;
}

static int read_children(struct client *client, sd_bus_message *m, struct timer_rows *rows)
{
    int r = sd_bus_message_enter_container(m, 'v', "aa{sv}");

    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
    while (r >= 0 && sd_bus_message_at_end(m, false) == 0) {
        struct fields fields;
        r = fields_read(m, &fields);
        if (r >= 0)
            r = add(client, rows, &fields);
    }
    for (int i = 0; r >= 0 && i < 2; i++)
        r = sd_bus_message_exit_container(m);
    return r;
}

static int read_state(struct client *client, sd_bus_message *m, struct timer_rows *rows)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *key;
        r = sd_bus_message_read(m, "s", &key);
        if (r >= 0)
            r = strcmp(key, "children") == 0 ? read_children(client, m, rows)
                                             : sd_bus_message_skip(m, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

/* Those that are not due any more come last. */
static int by_next(const void *a, const void *b)
{
    const struct timer_row *x = a, *y = b;
    uint64_t p = x->next_usec - 1, q = y->next_usec - 1;

    return p != q ? (p > q) - (p < q) : strcmp(x->id, y->id);
}

/* ---- as a table ------------------------------------------------------------------------------ */

static void print_time(char text[32], uint64_t usec)
{
    time_t seconds = (time_t)(usec / 1000000);
    struct tm local;

    strcpy(text, "-");
    if (usec > 0)
        strftime(text, 32, "%a %Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
}

/* From now; empty if it is due now, or never. */
static char *time_left(uint64_t next_usec)
{
    struct timespec now;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t usec = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (next_usec > usec)
        story_duration(out, next_usec - usec);
    fclose(out);
    return text;
}

static void add_row(struct table *table, const struct timer_row *row)
{
    bool active = strcmp(row->operation, "active") == 0;
    char next[32], last[32], *left = time_left(row->next_usec);

    print_time(next, row->next_usec);
    print_time(last, row->last_usec);
    table_add(table, active ? "" : "\033[33m",
              (const char *const[]){row->id, next, left ? left : "", last,
                                    active ? row->status : row->operation});
    free(left);
}

static void print_rows(struct client *client, const struct timer_rows *rows)
{
    static const char *const titles[] = {"CHILD", "NEXT", ">LEFT", "LAST", "STATUS", NULL};
    struct table *table = table_new(client, titles);

    for (size_t i = 0; i < rows->count; i++)
        add_row(table, &rows->rows[i]);
    table_print(table);
}

/* ---- as a document --------------------------------------------------------------------------- */

static void answer_row(struct json *json, const struct timer_row *row)
{
    const struct {
        const char *key, *text;
    } texts[] = {{"child", row->id},
                 {"schedule", row->schedule},
                 {"status", row->status},
                 {"operation", row->operation}};

    json_item(json);
    json_open(json, '{');
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_key(json, texts[i].key);
        json_text(json->out, texts[i].text);
    }
    json_key(json, "next_run_usec");
    json_number(json->out, row->next_usec);
    json_key(json, "last_run_usec");
    json_number(json->out, row->last_usec);
    json_close(json, '}');
}

static int answer_rows(struct client *client, const struct timer_rows *rows)
{
    struct json json;
    int r = answer_begin(client, &json);

    if (r < 0)
        return r;
    json_open(&json, '[');
    for (size_t i = 0; i < rows->count; i++)
        answer_row(&json, &rows->rows[i]);
    json_close(&json, ']');
    return answer_end(client, &json, 0);
}

int command_timers(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    struct timer_rows rows = {};
    int r = call_method(client, PATH, MANAGER, "CurrentState", &error, &reply, NULL);

    if (r < 0)
        return client_error(client, &error, r);
    r = read_state(client, reply, &rows);
    if (r >= 0 && rows.count > 0)
        qsort(rows.rows, rows.count, sizeof(*rows.rows), by_next);
    if (r >= 0 && client->json == JSON_OFF)
        print_rows(client, &rows);
    else if (r >= 0)
        r = answer_rows(client, &rows);
    free(rows.rows);
    return r < 0 ? client_error(client, NULL, r) : CTL_DONE;
}
