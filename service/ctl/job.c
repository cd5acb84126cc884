/*
 * A job from the shell: what it writes as its result comes to standard output, byte for byte, as it
 * comes, and its exit code is the tool's.
 */
#include "ctl/document.h"
#include "ctl/call.h"
#include "core/vocabulary/text.h"
#include "manifest/manifest.h"
#include "manifest/node.h"
#include "manifest/written.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* The manifest's own arguments come first. */
static void write_arguments(FILE *out, const struct node *before, const struct client *client)
{
    const char *between = "";

    fputs("arguments: [", out);
    for (size_t i = 0; before && i < before->count; i++, between = ", ") {
        fputs(between, out);
        json_text(out, before->items[i]->text);
    }
    for (int i = 1; i < client->n_arguments; i++, between = ", ") {
        fputs(between, out);
        json_text(out, client->arguments[i]);
    }
    fputs("]\n", out);
}

static bool is_list_of_texts(const struct node *node)
{
    bool is_one = !node || node->kind == NODE_LIST;

    for (size_t i = 0; is_one && node && i < node->count; i++)
        is_one = node->items[i]->kind == NODE_SCALAR;
    return is_one;
}

/* Its keys, and what was given on the command line behind its own arguments. What cannot be read is
 * sent as it is: proctord names the place. */
static void add_arguments(FILE *out, const char *manifest, const struct client *client)
{
    static const char *const without[] = {"arguments", NULL};
    struct arena arena = {};
    struct manifest_error error = {};
    const struct node *root = NULL;
    int r = node_parse(&arena, manifest, strlen(manifest), MANIFEST_CHILD_MAX, &root, &error);
    bool fits = r == 0 && root && root->kind == NODE_MAPPING;
    const struct node *before = fits ? node_find(root, "arguments") : NULL;
    struct written written = {};

    if (fits && is_list_of_texts(before))
        written = manifest_write(&arena, root, without, NULL);
    fputs(written.text ? written.text : manifest, out);
    if (written.text)
        write_arguments(out, before, client);
    arena_free(&arena);
}

/* The manifest as it stands there, so that an error names its line; arguments of the command line
 * make it another text. */
static char *manifest_text(struct client *client)
{
    char *manifest = client_read_manifest(client, client->arguments[0]), *text = NULL;
    size_t size;
    FILE *out = manifest && client->n_arguments > 1 ? open_memstream(&text, &size) : NULL;

    if (!out)
        return manifest;
    add_arguments(out, manifest, client);
    free(manifest);
    fclose(out);
    return text;
}

struct end {
    size_t shown; /* bytes of the result that have been printed already */
    char result[32];
    int32_t code;
    int truncated;
};

/* Prints what is new of a result that only grows. */
static void show_more(const char *data, size_t size, size_t *shown)
{
    if (size <= *shown)
        return;
    fwrite(data + *shown, 1, size - *shown, stdout);
    fflush(stdout);
    *shown = size;
}

/* What the end of a job needs. */
static int read_entry(sd_bus_message *m, const char *key, struct end *end)
{
    const void *data;
    const char *result;
    size_t size;

    if (strcmp(key, "Result") == 0) {
        int r = sd_bus_message_read(m, "v", "s", &result);
        if (r >= 0)
            snprintf(end->result, sizeof(end->result), "%s", result);
        return r;
    }
    if (strcmp(key, "ExitCode") == 0)
        return sd_bus_message_read(m, "v", "i", &end->code);
    if (strcmp(key, "OutputTruncated") == 0)
        return sd_bus_message_read(m, "v", "b", &end->truncated);
    if (strcmp(key, "Output") != 0)
        return sd_bus_message_skip(m, "v");
    int r = sd_bus_message_enter_container(m, 'v', "ay");
    if (r >= 0)
        r = sd_bus_message_read_array(m, 'y', &data, &size);
    if (r >= 0)
        show_more(data, size, &end->shown);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* The rest is skipped. */
static int read_end(sd_bus_message *m, struct end *end)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *key;
        r = sd_bus_message_read(m, "s", &key);
        if (r >= 0)
            r = read_entry(m, key, end);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

/* The exit code of the job, also if it was ended by a signal. */
static int show_end(struct client *client, sd_bus_message *reply, size_t shown)
{
    /* In an answer, the result stands already. */
    struct end end = {.shown = client->json != JSON_OFF ? SIZE_MAX : shown};
    int r = 0;

    if (client->json != JSON_OFF)
        r = answer_message(client, reply, NULL);
    if (r >= 0)
        r = sd_bus_message_rewind(reply, true);
    if (r >= 0)
        r = read_end(reply, &end);
    if (r < 0)
        return client_error(client, NULL, r);
    if (end.truncated && !client->quiet)
        client_note("the result was longer than 64 KiB: the rest is lost");
    bool by_itself = strcmp(end.result, "succeeded") == 0 || strcmp(end.result, "failed") == 0;
    if (!by_itself && !client->quiet)
        client_note("the job ended as %s", end.result);
    return end.code == 0 && strcmp(end.result, "succeeded") != 0 ? CTL_FAILED : end.code;
}

/* `arguments` is appended to the manifest as one more key; arguments that are
 * not UTF-8 could not be sent. */
static int call_with_job(struct client *client, const char *method, sd_bus_error *error,
                         sd_bus_message **reply)
{
    CLEANUP_MESSAGE *call = NULL;
    char *text;

    for (int i = 1; i < client->n_arguments; i++)
        if (!text_is_at_most(client->arguments[i], TEXT_CONTROL))
            return client_fail(client, "argument %d is not valid UTF-8", i);
    text = manifest_text(client);

    if (!text)
        return CTL_ERROR;
    int r = client_call(client, PATH, MANAGER, method, &call);
    if (r >= 0)
        r = sd_bus_message_append(call, "s", text);
    free(text);
    if (!client->reason)
        client->reason = "proctorctl run";
    if (r >= 0)
        r = client_append_reason(client, call);
    if (r >= 0)
        r = sd_bus_call(client->bus, call, 0, error, reply);
    return r < 0 ? client_error(client, error, r) : CTL_DONE;
}

/* The job's object path. */
static int start(struct client *client, char **path)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    const char *found;
    int code = call_with_job(client, "RunJob", &error, &reply);

    if (code != CTL_DONE)
        return code;
    int r = sd_bus_message_read(reply, "o", &found);
    *path = r >= 0 ? strdup(found) : NULL;
    return *path ? CTL_DONE : client_error(client, NULL, r < 0 ? r : -ENOMEM);
}

/* ---- a dry run ------------------------------------------------------------------------------- */

/* The job that would be replaced. */
static int print_stops(sd_bus_message *m)
{
    const char *id;
    int r = sd_bus_message_enter_container(m, 'v', "as");

    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "s");
    while (r >= 0 && (r = sd_bus_message_read(m, "s", &id)) > 0)
        printf("stops      %s\n", id);
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int print_state(sd_bus_message *m)
{
    const char *state;
    int r = sd_bus_message_read(m, "v", "s", &state);

    if (r >= 0)
        printf("the job would be accepted, and %s\n",
               strcmp(state, "running") == 0 ? "run at once" : "wait for its turn");
    return r;
}

/* What a dry run says. */
static int print_plan(sd_bus_message *m)
{
    const char *key;
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = sd_bus_message_read(m, "s", &key);
        if (r >= 0 && strcmp(key, "State") == 0)
            r = print_state(m);
        else if (r >= 0 && strcmp(key, "WouldStop") == 0)
            r = print_stops(m);
        else if (r >= 0)
            r = sd_bus_message_skip(m, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r;
}

/* The dry run. */
static int try_job(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    int r = 0, code = call_with_job(client, "PlanRunJob", &error, &reply);

    if (code != CTL_DONE)
        return code;
    if (client->json != JSON_OFF)
        r = answer_message(client, reply, NULL);
    else if (!client->quiet)
        r = print_plan(reply);
    return r < 0 ? client_error(client, NULL, r) : CTL_DONE;
}

/* ---- while it runs --------------------------------------------------------------------------- */

struct stream {
    const char *path;
    size_t shown;
    bool more, over;
    uint64_t end_usec;     /* monotonic: the time that was given is up; UINT64_MAX: never */
    sd_bus_message *reply; /* of Wait */
};

static int more_came(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)m;
    (void)error;
    ((struct stream *)userdata)->more = true;
    return 0;
}

static int is_over(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct stream *stream = userdata;

    (void)error;
    stream->reply = sd_bus_message_ref(m);
    stream->over = true;
    return 0;
}

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void set_end(const struct client *client, struct stream *stream)
{
    uint64_t now = now_usec();
    bool limited = client->timeout_usec > 0 && client->timeout_usec < UINT64_MAX - now;

    stream->end_usec = limited ? now + client->timeout_usec : UINT64_MAX;
}

static bool time_is_up(const struct stream *stream)
{
    return stream->end_usec < UINT64_MAX && now_usec() >= stream->end_usec;
}

/* Where proctord's own time for an answer is up, it is asked again. */
static int ask(struct client *client, struct stream *stream)
{
    CLEANUP_MESSAGE *call = NULL;
    int r = client_call(client, stream->path, "org.proctor1.Job", "Wait", &call);

    stream->over = false;
    stream->reply = sd_bus_message_unref(stream->reply);
    return r < 0 ? r : sd_bus_call_async(client->bus, NULL, call, is_over, stream, UINT64_MAX);
}

static int wait_for_more(struct client *client, const struct stream *stream)
{
    uint64_t now = now_usec();

    if (stream->end_usec == UINT64_MAX)
        return sd_bus_wait(client->bus, UINT64_MAX);
    return sd_bus_wait(client->bus, stream->end_usec > now ? stream->end_usec - now : 0);
}

/* What is read lets proctord tell of the next piece. */
static int show_so_far(struct client *client, struct stream *stream)
{
    CLEANUP_MESSAGE *reply = NULL;
    const void *data;
    size_t size;

    stream->more = false;
    int r = call_property(client, stream->path, "org.proctor1.Job", "Output", NULL, &reply, "ay");
    if (r >= 0)
        r = sd_bus_message_read_array(reply, 'y', &data, &size);
    if (r >= 0)
        show_more(data, size, &stream->shown);
    return r;
}

/* Output is shown as it comes; the end is the reply to a call that waits. */
static int follow(struct client *client, struct stream *stream)
{
    int r = sd_bus_match_signal(client->bus, NULL, NAME, stream->path,
                                "org.freedesktop.DBus.Properties", "PropertiesChanged", more_came,
                                stream);

    if (r >= 0)
        r = ask(client, stream);
    stream->more =
        client->json == JSON_OFF; /* something may have come before the match was there */
    while (r >= 0 && !stream->over && !time_is_up(stream)) {
        if (stream->more && client->json == JSON_OFF)
            show_so_far(client, stream); /* where it fails, the job is over: the answer tells */
        r = sd_bus_process(client->bus, NULL);
        if (r == 0)
            r = wait_for_more(client, stream);
        if (r >= 0 && stream->over && client_timed_out(stream->reply))
            r = ask(client, stream);
    }
    return r;
}

/* It continues without us. */
static int tell_time_is_up(struct client *client, const struct stream *stream)
{
    char message[256];

    snprintf(message, sizeof(message), "timed out; the job continues: %s", stream->path);
    client_note("%s", message);
    if (client->json != JSON_OFF)
        answer_error(client, "org.proctor1.Error.TimedOut", message);
    return CTL_TIMED_OUT;
}

/* A job continues if the user stops waiting. */
int command_run(struct client *client)
{
    if (client->dry_run)
        return try_job(client);

    char *path = NULL;
    int code = start(client, &path);
    struct stream stream = {.path = path};

    if (code != CTL_DONE)
        return code;
    set_end(client, &stream);
    int r = follow(client, &stream);
    if (r >= 0 && !stream.over)
        code = tell_time_is_up(client, &stream);
    else if (r >= 0 && sd_bus_message_is_method_error(stream.reply, NULL))
        code = client_error(client, sd_bus_message_get_error(stream.reply), -EIO);
    else
        code = r < 0 ? client_error(client, NULL, r) : show_end(client, stream.reply, stream.shown);
    sd_bus_message_unref(stream.reply);
    free(path);
    return code;
}
