/*
 * The children, one a line.
 */
#include "document.h"
#include "call.h"
#include "child_row.h"
#include "table.h"

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

static int print_rows(struct client *client, sd_bus_message *reply)
{
    static const char *const titles[] = {"CHILD", "OPERATION", "STATUS",        "READINESS",
                                         ">GEN",  ">ATTEMPT",  "RESTARTS LEFT", NULL};
    struct table *table = table_new(client, titles);
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
            table_add(table, paint(operation, status, exhausted),
                      (const char *const[]){id, operation, status, readiness, numbers[0],
                                            numbers[1], left});
    }
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
    for (size_t i = 0; r >= 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_key(json, keys[i]);
        r = json_value(json, reply, NULL);
    }
    answer_wait(client, json, row);
    json_close(json, '}');
    return r;
}

static int print_rows_json(struct client *client, sd_bus_message *reply)
{
    struct json json;
    int r = answer_begin(client, &json);

    if (r < 0)
        return r;
    json_open(&json, '[');
    r = sd_bus_message_enter_container(reply, 'a', "(sosssttbsub)");
    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'r', "sosssttbsub")) > 0) {
        struct child_row row;
        r = child_row_look(reply, &row);
        if (r >= 0 && wanted(client, &row))
            r = answer_row(client, &json, &row, reply);
        else if (r >= 0)
            r = sd_bus_message_skip(reply, "sosssttbsub");
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    json_close(&json, ']');
    return answer_end(client, &json, r);
}

int command_list(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_method(client, PATH, MANAGER, "ListChildren", &error, &reply, NULL);

    if (r < 0)
        return client_error(client, &error, r);
    r = client->json == JSON_OFF ? print_rows(client, reply) : print_rows_json(client, reply);
    return r < 0 ? client_error(client, NULL, r) : CTL_DONE;
}
