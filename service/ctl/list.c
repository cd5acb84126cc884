/*
 * The children, one a line.
 */
#include "client.h"
#include "json.h"
#include "table.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

static bool wanted(const struct client *client, const char *id)
{
    for (int i = 0; i < client->n_arguments; i++)
        if (fnmatch(client->arguments[i], id, 0) == 0)
            return true;
    return client->n_arguments == 0;
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
                 stale ? " (heartbeat stale)" : "");
        if (wanted(client, id))
            table_add(table, paint(operation, status, exhausted),
                      (const char *const[]){id, operation, status, readiness, numbers[0],
                                            numbers[1], left});
    }
    table_print(table);
    return r;
}

static int print_rows_json(struct client *client, sd_bus_message *reply)
{
    static const char *const keys[] = {
        "id",         "path",    "operation",       "status",     "readiness",
        "generation", "attempt", "heartbeat_stale", "stop_state", "restarts_remaining",
        "exhausted"};
    struct json json = {.out = stdout};
    bool first = true;
    int r = sd_bus_message_enter_container(reply, 'a', "(sosssttbsub)");

    fputc('[', stdout);
    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'r', "sosssttbsub")) > 0) {
        fputs(first ? "" : ",", stdout);
        fputs(client->json == JSON_PRETTY ? "\n  {" : "{", stdout);
        first = false;
        for (size_t i = 0; r >= 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
            printf("%s\"%s\":", i > 0 ? "," : "", keys[i]);
            r = json_value(&json, reply, NULL);
        }
        fputc('}', stdout);
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    fputs(client->json == JSON_PRETTY && !first ? "\n]\n" : "]\n", stdout);
    return r;
}

int command_list(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    int r =
        sd_bus_call_method(client->bus, NAME, PATH, MANAGER, "ListChildren", &error, &reply, NULL);

    if (r < 0)
        return client_error(&error, r);
    r = client->json == JSON_OFF ? print_rows(client, reply) : print_rows_json(client, reply);
    return r < 0 ? client_error(NULL, r) : CTL_DONE;
}
