/*
 * The jobs, one a line: those that are under way, and those that are finished and kept.
 */
#include "ctl/document.h"
#include "ctl/call.h"
#include "ctl/story.h"
#include "ctl/table.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error
#define ROW             "tsssttt"

struct row {
    uint64_t number, queued_usec, started_usec, finished_usec;
    const char *name, *state, *result;
};

/* By its name, which may be a pattern, or by its number. */
static bool wanted(const struct client *client, const struct row *row)
{
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, row->number);
    for (int i = 0; i < client->n_arguments; i++)
        if (fnmatch(client->arguments[i], row->name, 0) == 0 ||
            strcmp(client->arguments[i], number) == 0)
            return true;
    return client->n_arguments == 0;
}

/* > 0: there was one. */
static int read_row(sd_bus_message *reply, struct row *row)
{
    return sd_bus_message_read(reply, "(" ROW ")", &row->number, &row->name, &row->state,
                               &row->result, &row->queued_usec, &row->started_usec,
                               &row->finished_usec);
}

/* ---- as a table ------------------------------------------------------------------------------ */

static const char *paint(const struct row *row)
{
    if (strcmp(row->state, "running") == 0)
        return "\033[32m";
    if (strcmp(row->state, "queued") == 0)
        return "\033[33m";
    return strcmp(row->result, "succeeded") == 0 ? "" : "\033[31m";
}

static void print_time(char *text, size_t size, uint64_t usec)
{
    time_t seconds = (time_t)(usec / 1000000);
    struct tm local;

    strftime(text, size, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
}

/* How long it ran, or has been running. */
static char *duration(const struct row *row)
{
    struct timespec now;
    uint64_t until = row->finished_usec;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    if (until == 0)
        until = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (row->started_usec > 0 && until >= row->started_usec)
        story_duration(out, until - row->started_usec);
    fclose(out);
    return text;
}

/* Times are local. */
static void add_row(struct table *table, const struct row *row)
{
    char number[24], queued[32];
    char *ran = duration(row);

    snprintf(number, sizeof(number), "%" PRIu64, row->number);
    print_time(queued, sizeof(queued), row->queued_usec);
    table_add(
        table, paint(row),
        (const char *const[]){row->name, number, row->state, row->result, queued, ran ? ran : ""});
    free(ran);
}

/* The table. */
static int print_rows(struct client *client, sd_bus_message *reply)
{
    static const char *const titles[] = {"NAME", ">JOB", "STATE", "RESULT", "QUEUED", "RAN", NULL};
    struct table *table = table_new(client, titles);
    struct row row;
    int r = sd_bus_message_enter_container(reply, 'a', "(" ROW ")");

    while (r >= 0 && (r = read_row(reply, &row)) > 0)
        if (wanted(client, &row))
            add_row(table, &row);
    table_print(table);
    return r;
}

/* ---- as a document --------------------------------------------------------------------------- */

/* Times are numbers, as they are on the bus. */
static void answer_row(struct json *json, const struct row *row)
{
    const struct {
        const char *key;
        uint64_t usec;
    } times[] = {{"queued_usec", row->queued_usec},
                 {"started_usec", row->started_usec},
                 {"finished_usec", row->finished_usec}};

    json_item(json);
    json_open(json, '{');
    json_key(json, "id");
    json_number(json->out, row->number);
    json_key(json, "name");
    json_text(json->out, row->name);
    json_key(json, "state");
    json_text(json->out, row->state);
    json_key(json, "result");
    if (row->result[0])
        json_text(json->out, row->result);
    else
        fputs("null", json->out);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        json_key(json, times[i].key);
        json_number(json->out, times[i].usec);
    }
    json_close(json, '}');
}

/* The list. */
static int print_rows_json(struct client *client, sd_bus_message *reply)
{
    struct json json;
    struct row row;
    int r = answer_begin(client, &json);

    if (r < 0)
        return r;
    json_open(&json, '[');
    r = sd_bus_message_enter_container(reply, 'a', "(" ROW ")");
    while (r >= 0 && (r = read_row(reply, &row)) > 0)
        if (wanted(client, &row))
            answer_row(&json, &row);
    json_close(&json, ']');
    return answer_end(client, &json, r);
}

/* Patterns are applied here, not by proctord. */
int command_jobs(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_method(client, PATH, MANAGER, "ListJobs", &error, &reply, NULL);

    if (r < 0)
        return client_error(client, &error, r);
    r = client->json == JSON_OFF ? print_rows(client, reply) : print_rows_json(client, reply);
    return r < 0 ? client_error(client, NULL, r) : CTL_DONE;
}
