/*
 * Events: what happened, and what happens, a line for each, as a story or as JSON.
 */
#include "ctl/client.h"
#include "ctl/document.h"
#include "ctl/story.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* The filter is applied by proctord, so that only what is wanted crosses the
 * bus. */
int client_append_filter(const struct client *client, sd_bus_message *call, const char *child)
{
    int r = sd_bus_message_open_container(call, 'a', "{sv}");

    if (r >= 0 && client->kind)
        r = sd_bus_message_append(call, "{sv}", "kinds", "as", 1, client->kind);
    if (r >= 0 && client->command_id && !child)
        r = sd_bus_message_append(call, "{sv}", "command", "s", client->command_id);
    if (r >= 0 && child)
        r = sd_bus_message_append(call, "{sv}", "children", "as", 1, child);
    if (r >= 0 && !child && client->n_arguments > 0) {
        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
            r = sd_bus_message_append(call, "s", "children");
        if (r >= 0)
            r = sd_bus_message_open_container(call, 'v', "as");
        if (r >= 0)
            r = sd_bus_message_append_strv(call, client->arguments);
        for (int i = 0; r >= 0 && i < 2; i++)
            r = sd_bus_message_close_container(call);
    }
    return r < 0 ? r : sd_bus_message_close_container(call);
}

static void print_time(FILE *out, uint64_t realtime_usec)
{
    time_t seconds = (time_t)(realtime_usec / 1000000);
    struct tm local;
    char text[32];

    strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&seconds, &local));
    fprintf(out, "%s.%03" PRIu64, text, realtime_usec / 1000 % 1000);
}

/* The fields of the row, in the order of the signal. */
static int print_event_json(struct client *client, sd_bus_message *m)
{
    static const char *const keys[] = {"sequence", "realtime_usec", "monotonic_usec", "kind",
                                       "child",    "cause",         "fields"};
    struct json json;
    int r = answer_begin(client, &json);

    if (r < 0)
        return r;
    json_open(&json, '{');
    for (size_t i = 0; r >= 0 && i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_key(&json, keys[i]);
        r = json_value(&json, m, NULL);
    }
    json_close(&json, '}');
    return answer_end(client, &json, r);
}

/* Colours for what an operator looks for; everything else stays plain. */
static const char *paint_event(const struct client *client, const char *kind)
{
    static const struct {
        const char *kind, *colour;
    } colours[] = {
        {"child-ready", "\033[32m"},
        {"child-exited", "\033[33m"},
        {"child-heartbeat-stale", "\033[33m"},
        {"child-control-abort-requested", "\033[33m"},
        {"child-control-stop-failed", "\033[33m"},
        {"child-spawn-failed", "\033[31m"},
        {"child-quarantined", "\033[31m"},
        {"child-restart-limit-updated", "\033[31m"},
        {"meltdown", "\033[31m"},
        {"group-fuse-triggered", "\033[31m"},
        {"command-rejected", "\033[31m"},
    };

    for (size_t i = 0; client->colour && i < sizeof(colours) / sizeof(colours[0]); i++)
        if (strcmp(colours[i].kind, kind) == 0)
            return colours[i].colour;
    return "";
}

/* An event that was read from a message; its texts are the message's. */
struct entry {
    uint64_t sequence, realtime_usec;
    const char *child;
    struct story story;
};

/* The message stands before tttsssa{sv}. */
static int read_entry(sd_bus_message *m, struct entry *entry)
{
    uint64_t monotonic;
    const char *kind, *cause;
    int r = sd_bus_message_read(m, "tttsss", &entry->sequence, &entry->realtime_usec, &monotonic,
                                &kind, &entry->child, &cause);

    return r < 0 ? r : story_read(m, kind, &entry->story);
}

/* Time, number, child, sentence. */
static void print_entry(FILE *out, const struct client *client, const struct entry *entry)
{
    const char *colour = out == stdout ? paint_event(client, entry->story.kind) : "";

    print_time(out, entry->realtime_usec);
    fprintf(out, " %6" PRIu64 "  ", entry->sequence);
    terminal_paint(out, colour);
    text_write(out, entry->child);
    fputs(entry->child[0] ? " " : "", out);
    story_write(out, &entry->story);
    terminal_paint(out, colour[0] ? "\033[0m" : "");
    fputc('\n', out);
}

/* Events that only repeat another one are left out, unless a kind was asked
 * for. */
static int print_event(struct client *client, sd_bus_message *m)
{
    struct entry entry;

    if (client->json != JSON_OFF)
        return print_event_json(client, m);
    int r = read_entry(m, &entry);
    if (r >= 0 && story_is_told(&entry.story, client->kind != NULL))
        print_entry(stdout, client, &entry);
    return r;
}

/* Whether the event that the message stands before is from the time that is asked for; the message
 * stays there. */
static int is_recent(const struct client *client, sd_bus_message *m)
{
    uint64_t sequence, realtime_usec;
    int r = sd_bus_message_read(m, "tt", &sequence, &realtime_usec);

    if (r >= 0)
        r = sd_bus_message_rewind(m, false);
    return r < 0 ? r : realtime_usec >= client->since_usec;
}

/* Prints the event that the message stands before, or counts it. */
static int go_to(struct client *client, sd_bus_message *reply, size_t skip, FILE *out, int *told)
{
    struct entry entry;
    int r;

    if (client->json != JSON_OFF && out)
        return print_event_json(client, reply);
    r = read_entry(reply, &entry);
    if (r >= 0 && client->json == JSON_OFF && story_is_told(&entry.story, client->kind != NULL) &&
        (size_t)(*told)++ >= skip && out)
        print_entry(out, client, &entry);
    return r;
}

/* Goes over all of an answer; returns how many are printed. Prints them, but for the first ones. */
static int go_over(struct client *client, sd_bus_message *reply, size_t skip, FILE *out)
{
    int told = 0;
    int r = sd_bus_message_enter_container(reply, 'a', "(tttsssa{sv})");

    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'r', "tttsssa{sv}")) > 0) {
        r = is_recent(client, reply);
        if (r > 0)
            r = go_to(client, reply, skip, out, &told);
        else if (r == 0)
            r = sd_bus_message_skip(reply, "tttsssa{sv}");
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    return r < 0 ? r : told;
}

/* last: only so many of them; 0: all. */
static int query_events(struct client *client, const char *child, uint64_t after, size_t last,
                        FILE *out)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    size_t skip = 0;
    int r = client_call(client, PATH, MANAGER, "QueryEvents", &call);

    if (r >= 0)
        r = sd_bus_message_append(call, "tu", after, UINT32_MAX);
    if (r >= 0)
        r = client_append_filter(client, call, child);
    if (r >= 0)
        r = sd_bus_call(client->bus, call, 0, &error, &reply);
    if (r < 0)
        return client_error(client, &error, r);
    if (last > 0) {
        r = go_over(client, reply, 0, NULL);
        skip = r > (int)last ? (size_t)r - last : 0;
        sd_bus_message_rewind(reply, true);
    }
    if (r >= 0)
        r = go_over(client, reply, skip, out);
    return r < 0 ? client_error(client, NULL, r) : CTL_DONE;
}

int events_show_last(struct client *client, const char *id, size_t count, FILE *out)
{
    return query_events(client, id, 0, count, out);
}

static int event_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)error;
    return print_event(userdata, m);
}

/* The match is added before subscribing, so that no event is lost in
 * between. */
static int follow_events(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    int r =
        sd_bus_match_signal(client->bus, NULL, NAME, PATH, MANAGER, "Event", event_came, client);

    if (r >= 0)
        r = client_call(client, PATH, MANAGER, "Subscribe", &call);
    if (r >= 0)
        r = client_append_filter(client, call, NULL);
    if (r >= 0)
        r = sd_bus_call(client->bus, call, 0, &error, &reply);
    while (r >= 0 && !terminal_failed()) {
        r = sd_bus_process(client->bus, NULL);
        if (r == 0)
            r = sd_bus_wait(client->bus, UINT64_MAX);
        if (r == -EINTR)
            r = 0;
    }
    return r < 0 ? client_error(client, &error, r) : CTL_ERROR;
}

int command_events(struct client *client)
{
    (client->follow ? document_follow : document_list)(client);
    int code = query_events(client, NULL, client->after, 0, stdout);
    if (code != CTL_DONE || !client->follow)
        return code;
    return follow_events(client);
}
