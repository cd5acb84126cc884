/*
 * The children, one a line.
 */
#include "ctl/document.h"
#include "ctl/call.h"
#include "ctl/child_row.h"
#include "ctl/remote.h"
#include "ctl/table.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

static bool is_named(const struct client *client, const char *id)
{
    for (int i = 0; i < client->n_arguments; i++)
        if (fnmatch(client->arguments[i], id, 0) == 0)
            return true;
    return client->n_arguments == 0;
}

static bool wanted(struct client *client, const struct child_row *row)
{
    return is_named(client, row->id) && (!client->failed || child_row_has_failed(client, row));
}

static const char *paint(const char *operation, const char *status, int exhausted)
{
    if (strcmp(operation, "quarantined") == 0 || exhausted)
        return "\033[31m";
    if (strcmp(operation, "paused") == 0 || strcmp(status, "cancelling") == 0)
        return "\033[33m";
    return strcmp(status, "ready") == 0 ? "\033[32m" : "";
}

/* The columns. The first one is that of hosts, and is only there if some are named. */
static const char *const titles[] = {"HOST", "CHILD",    "OPERATION",     "STATUS", "READINESS",
                                     ">GEN", ">ATTEMPT", "RESTARTS LEFT", NULL};

static struct table *new_table(const struct client *client)
{
    return table_new(client, titles + (client->place->hosts.count == 0));
}

static void add_cells(const struct client *client, struct table *table, const char *colour,
                      const char *const *cells)
{
    table_add(table, colour, cells + (client->place->hosts.count == 0));
}

/* Adds what a reply of ListChildren says. */
static int add_rows(struct client *client, struct table *table, sd_bus_message *reply)
{
    int r = sd_bus_message_enter_container(reply, 'a', "(sosssttbsub)");

    while (r >= 0) {
        const char *id, *path, *operation, *status, *readiness, *stop;
        char numbers[2][24], left[64];
        uint64_t generation, attempt;
        uint32_t remaining;
        int stale, exhausted;
        r = sd_bus_message_read(reply, "(sosssttbsub)", &id, &path, &operation, &status, &readiness,
                                &generation, &attempt, &stale, &stop, &remaining, &exhausted);
        if (r <= 0)
            break;
        snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, generation);
        snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, attempt);
        snprintf(left, sizeof(left), "%" PRIu32 "%s%s", remaining, exhausted ? " (used up)" : "",
                 stale ? " (unhealthy)" : "");
        if (wanted(client, &(struct child_row){id, path, operation, status, exhausted}))
            add_cells(client, table, paint(operation, status, exhausted),
                      (const char *const[]){client->host, id, operation, status, readiness,
                                            numbers[0], numbers[1], left});
    }
    return r;
}

static int print_rows(struct client *client, sd_bus_message *reply)
{
    struct table *table = new_table(client);
    int r = add_rows(client, table, reply);

    table_print(table);
    return r;
}

/* One that is up waits for nothing: it need not be asked. */
static bool may_wait(const struct child_row *row)
{
    return strcmp(row->status, "none") == 0 || strcmp(row->status, "cancelling") == 0;
}

/* Why it has no attempt: null where it waits for nothing. */
static void answer_wait(struct client *client, struct json *json, const struct child_row *row)
{
    char *reason = NULL;

    if (may_wait(row))
        call_string(client, row->path, CHILD, "WaitsFor", &reason);
    json_key(json, "waits_for");
    if (reason && reason[0])
        json_text(json->out, reason);
    else
        fputs("null", json->out);
    free(reason);
}

static void answer_host(const struct client *client, struct json *json)
{
    if (!client->host)
        return;
    json_key(json, "host");
    json_text(json->out, client->host);
}

/* Asked for separately, as ListChildren does not have it. */
static void answer_description(struct client *client, struct json *json,
                               const struct child_row *row)
{
    char *description = NULL;

    call_string(client, row->path, CHILD, "Description", &description);
    json_key(json, "description");
    if (description && description[0])
        json_text(json->out, description);
    else
        fputs("null", json->out);
    free(description);
}

/* The columns of the list, and what a program would ask for next. */
static int answer_row(struct client *client, struct json *json, const struct child_row *row,
                      sd_bus_message *reply)
{
    static const char *const keys[] = {
        "id",         "path",    "operation",       "status",     "readiness",
        "generation", "attempt", "heartbeat_stale", "stop_state", "restarts_remaining",
        "exhausted"};
    int r = 0;

    json_item(json);
    json_open(json, '{');
    answer_host(client, json);
    for (size_t i = 0; r >= 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_key(json, keys[i]);
        r = json_value(json, reply, NULL);
    }
    answer_wait(client, json, row);
    answer_description(client, json, row);
    json_close(json, '}');
    return r;
}

/* Adds what a reply of ListChildren says. */
static int answer_rows(struct client *client, struct json *json, sd_bus_message *reply)
{
    int r = sd_bus_message_enter_container(reply, 'a', "(sosssttbsub)");

    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'r', "sosssttbsub")) > 0) {
        struct child_row row;
        r = child_row_look(reply, &row);
        if (r >= 0 && wanted(client, &row))
            r = answer_row(client, json, &row, reply);
        else if (r >= 0)
            r = sd_bus_message_skip(reply, "sosssttbsub");
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    return r;
}

/* One document. */
static int print_rows_json(struct client *client, sd_bus_message *reply)
{
    struct json json;
    int r = answer_begin(client, &json);

    if (r < 0)
        return r;
    json_open(&json, '[');
    r = answer_rows(client, &json, reply);
    json_close(&json, ']');
    return answer_end(client, &json, r);
}

/* ---- of several hosts ------------------------------------------------------------------------ */

/* Where they go: to a table, or, if that is NULL, to a document. */
struct sink {
    struct table *table;
    struct json *json;
};

/* A host that cannot be asked is a row, and no error. */
static void add_unreachable(struct client *client, const struct sink *sink, const char *why)
{
    if (sink->table) {
        add_cells(client, sink->table, "\033[31m",
                  (const char *const[]){client->host, "-", "unreachable", "-", "-", "-", "-", why});
        return;
    }
    json_item(sink->json);
    json_open(sink->json, '{');
    answer_host(client, sink->json);
    json_key(sink->json, "error");
    json_text(sink->json->out, why);
    json_close(sink->json, '}');
}

/* A host that cannot be reached is a row, not an error. */
static void add_host(struct client *client, const struct sink *sink, const struct remote *remote)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;

    client->host = remote->host;
    client->bus = remote->bus;
    if (!remote->bus) {
        add_unreachable(client, sink, remote->error);
        return;
    }
    int r = call_method(client, PATH, MANAGER, "ListChildren", &error, &reply, NULL);
    if (r >= 0)
        r = sink->table ? add_rows(client, sink->table, reply)
                        : answer_rows(client, sink->json, reply);
    if (r < 0)
        add_unreachable(client, sink, error.message ? error.message : strerror(-r));
}

/* All connect at the same time. */
static void add_hosts(struct client *client, const struct sink *sink)
{
    const struct hosts *hosts = &client->place->hosts;
    struct remote remotes[HOSTS_MAX] = {};
    bool alone = hosts->count == 1;

    for (size_t i = 0; i < hosts->count; i++) {
        remotes[i].host = hosts->names[i];
        int r = remote_begin(&remotes[i], client->place, alone);
        if (r < 0)
            remote_fail(&remotes[i], r);
    }
    for (size_t i = 0; i < hosts->count; i++) {
        if (remotes[i].bus)
            remote_wait(&remotes[i], alone);
        add_host(client, sink, &remotes[i]);
    }
    for (size_t i = 0; i < hosts->count; i++)
        remote_close(&remotes[i]);
}

/* All hosts are connected at the same time. */
static int list_hosts(struct client *client)
{
    struct json json;

    if (client->json == JSON_OFF) {
        struct table *table = new_table(client);
        add_hosts(client, &(struct sink){.table = table});
        table_print(table);
        return CTL_DONE;
    }
    int r = answer_begin(client, &json);
    if (r < 0)
        return client_error(client, NULL, r);
    json_open(&json, '[');
    add_hosts(client, &(struct sink){.json = &json});
    json_close(&json, ']');
    r = answer_end(client, &json, 0);
    return r < 0 ? client_error(client, NULL, r) : CTL_DONE;
}

/* One call, however many children there are. */
int command_list(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;

    if (client->place->hosts.count > 0)
        return list_hosts(client);
    int r = call_method(client, PATH, MANAGER, "ListChildren", &error, &reply, NULL);
    if (r < 0)
        return client_error(client, &error, r);
    r = client->json == JSON_OFF ? print_rows(client, reply) : print_rows_json(client, reply);
    return r < 0 ? client_error(client, NULL, r) : CTL_DONE;
}
