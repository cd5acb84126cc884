/*
 * Waiting for a state of children, whatever brings it about. It always comes to an end: with the
 * state, when nothing is there any more that could bring it about, or when the time is up.
 */
#include "call.h"
#include "document.h"
#include "terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LONGEST_USEC (UINT64_C(3600) * 1000000) /* where nothing is said, as of --wait */

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error
#define CLEANUP_SLOT    __attribute__((cleanup(sd_bus_slot_unrefp))) sd_bus_slot

struct present {
    char *status, *readiness, *waits_for;
};

/* A child that is stopping has said once that it is ready. */
static bool is_ready(const struct present *present)
{
    return strcmp(present->readiness, "ready") == 0 && strcmp(present->status, "cancelling") != 0;
}

static bool is_running(const struct present *present)
{
    return strcmp(present->status, "running") == 0 || strcmp(present->status, "ready") == 0;
}

static bool is_stopped(const struct present *present)
{
    return strcmp(present->status, "none") == 0 || strcmp(present->status, "stopped") == 0;
}

static const struct state {
    const char *name;
    bool (*is_reached)(const struct present *present); /* NULL: when it is removed */
    bool needs_start;
} states[] = {
    {"ready", is_ready, true},
    {"running", is_running, true},
    {"stopped", is_stopped, false},
    {"removed", NULL, false},
};

static const struct state *find_state(const char *name)
{
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(states[i].name, name) == 0)
            return &states[i];
    return NULL;
}

static void present_free(struct present *present)
{
    free(present->status);
    free(present->readiness);
    free(present->waits_for);
    *present = (struct present){};
}

static int read_entry(sd_bus_message *m, struct present *present)
{
    const struct {
        const char *key;
        char **value;
    } wanted[] = {{"Status", &present->status},
                  {"Readiness", &present->readiness},
                  {"WaitsFor", &present->waits_for}};
    const char *key, *text;
    int r = sd_bus_message_read(m, "s", &key);

    for (size_t i = 0; r >= 0 && i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (strcmp(key, wanted[i].key) == 0) {
            r = sd_bus_message_read(m, "v", "s", &text);
            free(*wanted[i].value);
            *wanted[i].value = r >= 0 ? strdup(text) : NULL;
            return r >= 0 && !*wanted[i].value ? -ENOMEM : r;
        }
    return r < 0 ? r : sd_bus_message_skip(m, "v");
}

/* All at once: of one moment, otherwise a start in between looks like a child that is not
 * started. */
static int present_read(struct client *client, const char *path, struct present *present)
{
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_method(client, path, "org.freedesktop.DBus.Properties", "GetAll", NULL, &reply,
                        "s", CHILD);

    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        r = read_entry(reply, present);
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    return r >= 0 && (!present->status || !present->readiness || !present->waits_for) ? -EPROTO : r;
}

/* It is not meant to run, or it is held: the state cannot come by itself. */
static bool is_hopeless(const struct state *state, const struct present *present)
{
    if (!state->needs_start)
        return false;
    return strcmp(present->waits_for, "held") == 0 ||
           (is_stopped(present) && present->waits_for[0] == '\0');
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer_wait(struct client *client, const char *id, const struct state *state,
                        const char *result, const char *explanation)
{
    struct json json;

    if (answer_begin(client, &json) < 0)
        return;
    json_open(&json, '{');
    json_key(&json, "child");
    json_text(json.out, id);
    json_key(&json, "for");
    json_text(json.out, state->name);
    json_key(&json, "result");
    json_text(json.out, result);
    json_key(&json, "explanation");
    if (explanation)
        json_text(json.out, explanation);
    else
        fputs("null", json.out);
    json_close(&json, '}');
    answer_end(client, &json, 0);
}

static int tell(struct client *client, const char *id, const char *path, const struct state *state,
                int code)
{
    static const char *const results[] = {
        [CTL_DONE] = "reached", [CTL_FAILED] = "hopeless", [CTL_TIMED_OUT] = "timed-out"};
    char *explanation = NULL;

    if (code != CTL_DONE)
        call_string(client, path, CHILD, "Explanation", &explanation);
    if (client->json != JSON_OFF) {
        answer_wait(client, id, state, results[code], explanation);
    } else if (!client->quiet) {
        text_write(stdout, id);
        fprintf(stdout, ": %s%s",
                code == CTL_TIMED_OUT ? "timed out; not "
                : code == CTL_FAILED  ? "will not be "
                                      : "",
                state->name);
        fputs(explanation ? ": " : "", stdout);
        text_write(stdout, explanation ? explanation : "");
        puts("");
    }
    free(explanation);
    return code;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int note(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)m;
    (void)error;
    *(bool *)userdata = true;
    return 0;
}

/* Until something is heard, or the time is up. */
static int listen_until(struct client *client, bool *heard, uint64_t end_usec)
{
    int r = 0;

    while (r >= 0 && !*heard && now_usec() < end_usec) {
        r = sd_bus_process(client->bus, NULL);
        uint64_t now = now_usec();
        if (r == 0 && now < end_usec)
            r = sd_bus_wait(client->bus, end_usec == UINT64_MAX ? UINT64_MAX : end_usec - now);
        if (r == -EINTR)
            r = 0;
    }
    *heard = false;
    return r;
}

/* Says once what it waits for, and again when that is another thing. */
static void say_why(struct client *client, const char *id, const char *path,
                    const struct present *present, char said[16])
{
    char *explanation = NULL;

    if (client->quiet || client->json != JSON_OFF || strcmp(said, present->waits_for) == 0)
        return;
    snprintf(said, 16, "%s", present->waits_for);
    if (said[0] && call_string(client, path, CHILD, "Explanation", &explanation) >= 0)
        client_note("waiting for %s: %s", id, explanation);
    free(explanation);
}

/* The exit code, or -EAGAIN where the state may still come. */
static int look(struct client *client, const char *id, const char *path, const struct state *state,
                char said[16])
{
    struct present present = {};
    int r = present_read(client, path, &present), code = -EAGAIN;

    if (r < 0 && !state->is_reached)
        code = tell(client, id, path, state, CTL_DONE); /* its object has gone */
    else if (r < 0)
        code = client_error(client, NULL, r);
    else if (state->is_reached && state->is_reached(&present))
        code = tell(client, id, path, state, CTL_DONE);
    else if (is_hopeless(state, &present))
        code = tell(client, id, path, state, CTL_FAILED);
    else
        say_why(client, id, path, &present, said);
    present_free(&present);
    return code;
}

static bool is_removed(struct client *client, const char *id)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;

    return call_method(client, PATH, MANAGER, "GetChild", &error, &reply, "s", id) < 0 &&
           sd_bus_error_has_name(&error, "org.proctor1.Error.NoSuchChild");
}

static int wait_for(struct client *client, const char *id, const struct state *state,
                    uint64_t end_usec)
{
    if (!state->is_reached && is_removed(client, id))
        return tell(client, id, NULL, state, CTL_DONE);

    CLEANUP_SLOT *changed = NULL, *removed = NULL;
    char *path = NULL, said[16] = "";
    bool heard = false;
    int code = client_child_path(client, id, &path);

    if (code != CTL_DONE)
        return code;
    int r =
        sd_bus_match_signal(client->bus, &changed, NAME, path, "org.freedesktop.DBus.Properties",
                            "PropertiesChanged", note, &heard);
    if (r >= 0)
        r = sd_bus_match_signal(client->bus, &removed, NAME, PATH, MANAGER, "ChildRemoved", note,
                                &heard);
    code = -EAGAIN;
    while (r >= 0 && (code = look(client, id, path, state, said)) == -EAGAIN) {
        if (now_usec() >= end_usec) {
            code = tell(client, id, path, state, CTL_TIMED_OUT);
            break;
        }
        r = listen_until(client, &heard, end_usec);
    }
    free(path);
    return r < 0 ? client_error(client, NULL, r) : code;
}

int command_wait(struct client *client)
{
    const struct state *state = find_state(client->state ? client->state : "ready");
    uint64_t now = now_usec(),
             most = client->timeout_usec > 0 ? client->timeout_usec : LONGEST_USEC;
    uint64_t end_usec = most < UINT64_MAX - now ? now + most : UINT64_MAX;
    int worst = CTL_DONE;

    if (!state)
        return client_fail(client, "--for: expected ready, running, stopped or removed, got \"%s\"",
                           client->state);
    if (client->n_arguments > 1)
        document_list(client);
    for (int i = 0; i < client->n_arguments; i++) {
        const char *id = client->subject = client->arguments[i];
        int code = wait_for(client, id, state, end_usec);
        worst = code > worst ? code : worst;
    }
    return worst;
}
