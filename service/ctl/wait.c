/*
 * Waiting for a state of children, whatever brings it about. It always comes to an end: with the
 * state, when nothing is there any more that could bring it about, or when the time is up.
 */
#include "ctl/call.h"
#include "ctl/document.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LONGEST_USEC (UINT64_C(3600) * 1000000) /* where nothing is said, as of --wait */

#define CHAIN_MAX 64 /* so far down its requirements are looked at */

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

struct present {
    char *status, *readiness, *waits_for;
    char *dependency, *list; /* what its start waits for, and in which of its lists that stands */
};

/* What is being waited for, and what has been heard meanwhile. */
struct wait {
    struct client *client;
    const char *id, *path;
    const struct state *state;
    char said[16];                 /* what it waits for, as it was said last */
    bool heard;                    /* something has changed */
    bool shuts_down;               /* the tree, as far as is known */
    sd_bus_slot *slots[3];         /* of the child itself, and of the tree */
    sd_bus_slot *chain[CHAIN_MAX]; /* of those that it waits for in turn */
    size_t n_chain;
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
    free(present->dependency);
    free(present->list);
    *present = (struct present){};
}

static int read_dependency(sd_bus_message *m, struct present *present)
{
    const char *dependency, *list;
    int r = sd_bus_message_read(m, "v", "(ss)", &list, &dependency);

    if (r < 0)
        return r;
    free(present->dependency);
    free(present->list);
    present->dependency = strdup(dependency);
    present->list = strdup(list);
    return present->dependency && present->list ? 0 : -ENOMEM;
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
    if (r >= 0 && strcmp(key, "WaitsForDependency") == 0)
        return read_dependency(m, present);
    return r < 0 ? r : sd_bus_message_skip(m, "v");
}

/* All at once: of one moment, otherwise a start in between looks like a child that is not
 * started. */
static int present_read(struct client *client, const char *path, struct present *present,
                        sd_bus_error *error)
{
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_method(client, path, "org.freedesktop.DBus.Properties", "GetAll", error, &reply,
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

/* It is not meant to run, or it is held: it does not come up by itself. */
static bool stays_down(const struct present *present)
{
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

static int tell(const struct wait *wait, int code)
{
    struct client *client = wait->client;
    const char *id = wait->id;
    static const char *const results[] = {
        [CTL_DONE] = "reached", [CTL_FAILED] = "hopeless", [CTL_TIMED_OUT] = "timed-out"};
    char *explanation = NULL;

    if (code != CTL_DONE)
        call_string(client, wait->path, CHILD, "Explanation", &explanation);
    if (client->json != JSON_OFF) {
        answer_wait(client, id, wait->state, results[code], explanation);
    } else if (!client->quiet) {
        text_write(stdout, id);
        fprintf(stdout, ": %s%s",
                code == CTL_TIMED_OUT ? "timed out; not "
                : code == CTL_FAILED  ? "will not be "
                                      : "",
                wait->state->name);
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
    ((struct wait *)userdata)->heard = true;
    return 0;
}

/* Until something is heard, or the time is up. */
static int listen_until(struct wait *wait, uint64_t end_usec)
{
    sd_bus *bus = wait->client->bus;
    int r = 0;

    while (r >= 0 && !wait->heard && now_usec() < end_usec) {
        r = sd_bus_process(bus, NULL);
        uint64_t now = now_usec();
        if (r == 0 && now < end_usec)
            r = sd_bus_wait(bus, end_usec == UINT64_MAX ? UINT64_MAX : end_usec - now);
        if (r == -EINTR)
            r = 0;
    }
    wait->heard = false;
    return r;
}

static int hear_changes(struct wait *wait, const char *path, sd_bus_slot **slot)
{
    return sd_bus_match_signal(wait->client->bus, slot, NAME, path,
                               "org.freedesktop.DBus.Properties", "PropertiesChanged", note, wait);
}

/* Says once what it waits for, and again when that is another thing. */
static void say_why(struct wait *wait, const struct present *present)
{
    struct client *client = wait->client;
    char *explanation = NULL;

    if (client->quiet || client->json != JSON_OFF || strcmp(wait->said, present->waits_for) == 0)
        return;
    snprintf(wait->said, sizeof(wait->said), "%s", present->waits_for);
    if (wait->said[0] && call_string(client, wait->path, CHILD, "Explanation", &explanation) >= 0)
        client_note("waiting for %s: %s", wait->id, explanation);
    free(explanation);
}

/* ---- what cannot come any more --------------------------------------------------------------- */

/* NULL: there is none of this name. */
static char *path_of(struct client *client, const char *id)
{
    CLEANUP_MESSAGE *reply = NULL;
    const char *path;
    int r = call_method(client, PATH, MANAGER, "GetChild", NULL, &reply, "s", id);

    if (r >= 0)
        r = sd_bus_message_read(reply, "o", &path);
    return r < 0 ? NULL : strdup(path);
}

static bool requires_one_in_vain(struct wait *wait, const struct present *present);

/* Its changes are heard before it is looked at, so that none is missed. */
static bool is_in_vain(struct wait *wait, const char *path)
{
    struct present present = {};
    bool vain = false;

    if (hear_changes(wait, path, &wait->chain[wait->n_chain]) >= 0)
        wait->n_chain++;
    if (present_read(wait->client, path, &present, NULL) >= 0)
        vain =
            !is_ready(&present) && (stays_down(&present) || requires_one_in_vain(wait, &present));
    present_free(&present);
    return vain;
}

/* One that was removed, or that does not come up itself. */
static bool requires_one_in_vain(struct wait *wait, const struct present *present)
{
    if (strcmp(present->waits_for, "dependency") != 0 || !present->list ||
        strcmp(present->list, "requires") != 0 || wait->n_chain == CHAIN_MAX)
        return false;
    char *path = path_of(wait->client, present->dependency);
    bool vain = !path || is_in_vain(wait, path);

    free(path);
    return vain;
}

static void forget_chain(struct wait *wait)
{
    for (size_t i = 0; i < wait->n_chain; i++)
        wait->chain[i] = sd_bus_slot_unref(wait->chain[i]);
    wait->n_chain = 0;
}

static bool is_hopeless(struct wait *wait, const struct present *present)
{
    if (!wait->state->needs_start)
        return false;
    if (stays_down(present))
        return true;
    forget_chain(wait);
    return requires_one_in_vain(wait, present);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void note_shutdown(struct wait *wait)
{
    char *phase = NULL;

    if (call_string(wait->client, PATH, MANAGER, "ShutdownPhase", &phase) >= 0)
        wait->shuts_down = strcmp(phase, "idle") != 0;
    free(phase);
}

static int note_phase(struct wait *wait, sd_bus_message *m)
{
    const char *key, *phase;
    int r = sd_bus_message_read(m, "s", &key);

    if (r < 0 || strcmp(key, "ShutdownPhase") != 0)
        return r < 0 ? r : sd_bus_message_skip(m, "v");
    r = sd_bus_message_read(m, "v", "s", &phase);
    if (r >= 0)
        wait->shuts_down = strcmp(phase, "idle") != 0;
    return r;
}

/* Of the tree: only its shutdown matters. */
static int note_change(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    int r = sd_bus_message_skip(m, "s");

    (void)error;
    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = note_phase(userdata, m);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return 0;
}

/* What has come while an answer was awaited. */
static void hear_out(struct wait *wait)
{
    while (sd_bus_process(wait->client->bus, NULL) > 0)
        continue;
}

/* proctord cannot be asked any more. When the tree is shut down it ends by itself, and leaves no
 * process; otherwise nobody knows. */
static int look_in_vain(struct wait *wait, const sd_bus_error *error, int r)
{
    if (!wait->state->is_reached && sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT))
        return tell(wait, CTL_DONE); /* its object has gone */
    hear_out(wait);
    if (!wait->shuts_down)
        return client_error(wait->client, error, r);
    return tell(wait, wait->state->needs_start ? CTL_FAILED : CTL_DONE);
}

/* The exit code, or -EAGAIN where the state may still come. */
static int look(struct wait *wait)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    struct present present = {};
    int r, code = -EAGAIN;

    hear_out(wait);
    r = present_read(wait->client, wait->path, &present, &error);
    if (r < 0)
        code = look_in_vain(wait, &error, r);
    else if (wait->state->is_reached && wait->state->is_reached(&present))
        code = tell(wait, CTL_DONE);
    else if (is_hopeless(wait, &present))
        code = tell(wait, CTL_FAILED);
    else
        say_why(wait, &present);
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

static int wait_until(struct wait *wait, uint64_t end_usec)
{
    int code, r = hear_changes(wait, wait->path, &wait->slots[0]);

    if (r >= 0)
        r = sd_bus_match_signal(wait->client->bus, &wait->slots[1], NAME, PATH, MANAGER,
                                "ChildRemoved", note, wait);
    if (r >= 0)
        r = sd_bus_match_signal(wait->client->bus, &wait->slots[2], NAME, PATH,
                                "org.freedesktop.DBus.Properties", "PropertiesChanged", note_change,
                                wait);
    if (r < 0)
        return client_error(wait->client, NULL, r);
    note_shutdown(wait);
    while ((code = look(wait)) == -EAGAIN) {
        if (now_usec() >= end_usec)
            return tell(wait, CTL_TIMED_OUT);
        r = listen_until(wait, end_usec);
        if (r < 0)
            return look_in_vain(wait, &SD_BUS_ERROR_NULL, r);
    }
    return code;
}

static int wait_for(struct client *client, const char *id, const struct state *state,
                    uint64_t end_usec)
{
    struct wait wait = {.client = client, .id = id, .state = state};
    char *path = NULL;

    if (!state->is_reached && is_removed(client, id))
        return tell(&wait, CTL_DONE);
    int code = client_child_path(client, id, &path);
    if (code != CTL_DONE)
        return code;
    wait.path = path;
    code = wait_until(&wait, end_usec);
    forget_chain(&wait);
    for (size_t i = 0; i < sizeof(wait.slots) / sizeof(wait.slots[0]); i++)
        sd_bus_slot_unref(wait.slots[i]);
    free(path);
    return code;
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
