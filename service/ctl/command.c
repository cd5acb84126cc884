/*
 * The commands that are small enough to share a file: status, the verbs, kill,
 * reexec, shutdown, metrics.
 */
#include "ctl/call.h"
#include "ctl/client.h"

#include "ctl/document.h"
#include "ctl/fields.h"
#include "manifest/manifest.h"
#include "system/open_regular.h"
#include "ctl/outcome.h"
#include "ctl/scope.h"
#include "ctl/table.h"
#include "ctl/terminal.h"
#include "manifest/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS_SHOWN 10

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* ---- status ---------------------------------------------------------------------------------- */

/* The rest of a dictionary that has been entered. */
static int print_entries(sd_bus_message *m)
{
    int r = 0;

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        struct json json = {.out = stdout};
        const char *key;
        r = sd_bus_message_read(m, "s", &key);
        if (r >= 0) {
            printf(" %s=", key);
            r = json_value(&json, m, NULL);
        }
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static char *text_property(struct client *client, const char *path, const char *name)
{
    char *value = NULL;
    return call_string(client, path, CHILD, name, &value) < 0 ? strdup("?") : value;
}

/* 0 if it cannot be read: the status is shown as far as it is known. */
static uint64_t number_property(struct client *client, const char *path, const char *name,
                                char type)
{
    union {
        uint64_t u64;
        uint32_t u32;
        int flag;
    } value = {};

    if (call_basic(client, path, CHILD, name, type, &value) < 0)
        return 0;
    return type == 't' ? value.u64 : type == 'u' ? value.u32 : (uint64_t)value.flag;
}

static bool dictionary_is_empty(sd_bus_message *m)
{
    if (sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
        return true;
    return sd_bus_message_at_end(m, false) != 0;
}

/* Nothing is printed for an empty one. */
static void print_dictionary(struct client *client, const char *path, const char *label,
                             const char *name)
{
    CLEANUP_MESSAGE *reply = NULL;

    if (call_property(client, path, CHILD, name, NULL, &reply, "a{sv}") < 0 ||
        dictionary_is_empty(reply))
        return;
    printf("%14s:", label);
    print_entries(reply);
    fputc('\n', stdout);
}

/* As one line, with the time in local time. */
static void print_last_exit(struct client *client, const char *path)
{
    CLEANUP_MESSAGE *reply = NULL;
    struct fields exit;
    char when[32];

    if (call_property(client, path, CHILD, "LastExit", NULL, &reply, "a{sv}") < 0 ||
        fields_read(reply, &exit) < 0 || exit.count == 0)
        return;
    time_t seconds = (time_t)(fields_number(&exit, "USec") / 1000000);
    struct tm local;
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    printf("%14s: %s (", "last exit", fields_text(&exit, "Kind"));
    text_write(stdout, fields_text(&exit, "Reason"));
    printf("%s), generation %" PRId64 ", attempt %" PRId64 ", %s\n",
           fields_number(&exit, "CoreDumped") ? ", core dumped" : "",
           fields_number(&exit, "Generation"), fields_number(&exit, "Attempt"), when);
}

static void print_labelled(const char *label, const char *text)
{
    printf("%14s: ", label);
    text_write(stdout, text);
    puts("");
}

static void print_text(struct client *client, const char *path, const char *label, const char *name)
{
    char *value = text_property(client, path, name);

    if (value && *value)
        print_labelled(label, value);
    free(value);
}

/* Why it has no attempt, in a word; the sentence above says more. */
static void print_wait(struct client *client, const char *path)
{
    CLEANUP_MESSAGE *reply = NULL;
    const char *list = "", *id = "";
    char *reason = NULL;

    if (call_string(client, path, CHILD, "WaitsFor", &reason) < 0 || !reason[0]) {
        free(reason);
        return; /* for nothing, or an older proctord says it */
    }
    if (call_property(client, path, CHILD, "WaitsForDependency", NULL, &reply, "(ss)") >= 0)
        sd_bus_message_read(reply, "(ss)", &list, &id);
    printf("%14s: %s", "waits for", reason);
    if (id[0]) {
        printf(", %s ", list);
        text_write(stdout, id);
    }
    puts("");
    free(reason);
}

/* Not shown while there is none. */
static void print_moment(struct client *client, const char *path, const char *label,
                         const char *name)
{
    uint64_t usec = 0;
    char when[32];
    struct tm local;

    if (call_basic(client, path, CHILD, name, 't', &usec) < 0 || usec == 0)
        return; /* or an older proctord says it */
    time_t seconds = (time_t)(usec / 1000000);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    print_labelled(label, when);
}

/* The generation is that of the last one that came to its program. */
static void print_attempt(struct client *client, const char *path)
{
    uint64_t attempt = number_property(client, path, "Attempt", 't'),
             pid = number_property(client, path, "MainPID", 'u');

    printf("%14s: generation %" PRIu64, "attempt",
           number_property(client, path, "Generation", 't'));
    if (attempt == 0)
        puts(", no attempt now");
    else if (pid == 0)
        printf(", attempt %" PRIu64 " program not executed yet\n", attempt);
    else
        printf(", attempt %" PRIu64 ", pid %" PRIu64 "\n", attempt, pid);
}

/* Two forms, as "10 of 10 used" would hide that no further restart follows. */
static void print_restart_limit(struct client *client, const char *path)
{
    uint64_t used = number_property(client, path, "RestartsUsed", 'u');
    uint64_t burst = number_property(client, path, "RestartLimitBurst", 'u');
    uint64_t interval = number_property(client, path, "RestartLimitIntervalUSec", 't') / 1000000;

    printf("%14s: ", "restart limit");
    if (number_property(client, path, "RestartLimitExhausted", 'b'))
        printf("used up: %" PRIu64 " counted exits within %" PRIu64 " s, the limit is %" PRIu64
               "\n",
               used, interval, burst);
    else
        printf("%" PRIu64 " of %" PRIu64 " used within %" PRIu64 " s\n", used, burst, interval);
}

/* The doubt may come from a silent heartbeat or from failing health checks: the first line of the
 * status says from which, and the beats are told for what they are. */
static void print_liveness(struct client *client, const char *path)
{
    bool doubted = number_property(client, path, "HeartbeatStale", 'b') > 0;

    if (doubted)
        printf("%14s: %s\n", "liveness", "unhealthy, for the reason above");
    if (number_property(client, path, "LastHeartbeatUSec", 't') == 0)
        printf("%14s: %s\n", "heartbeat", "none yet");
    else if (doubted)
        print_moment(client, path, "last heartbeat", "LastHeartbeatUSec");
    else
        printf("%14s: %s\n", "heartbeat", "beats");
}

/* The sentence first, then the properties, the last events and the last lines
 * of output. */
static int status_table(struct client *client, const char *id, const char *path)
{
    char *explanation = text_property(client, path, "Explanation");

    text_write(stdout, id);
    fputs(": ", stdout);
    text_write(stdout, explanation);
    puts("");
    free(explanation);
    print_text(client, path, "description", "Description");
    print_text(client, path, "operation", "Operation");
    print_text(client, path, "status", "Status");
    print_wait(client, path);
    print_text(client, path, "stop state", "StopState");
    print_text(client, path, "readiness", "Readiness");
    print_text(client, path, "says", "StatusText");
    print_text(client, path, "schedule", "Schedule");
    print_moment(client, path, "next run", "NextRunUSec");
    print_moment(client, path, "last run", "LastRunUSec");
    print_attempt(client, path);
    print_text(client, path, "sandbox", "Sandbox");
    print_restart_limit(client, path);
    print_liveness(client, path);
    print_text(client, path, "fence", "FencePhase");
    print_dictionary(client, path, "waits behind", "PendingRestart");
    print_last_exit(client, path);
    print_dictionary(client, path, "failure", "Failure");
    puts("    last events:");
    int code = events_show_last(client, id, EVENTS_SHOWN, stdout);
    if (code == CTL_DONE)
        log_show_last(client, id, path);
    return code;
}

/* All properties in one reply, so that they belong to the same moment. */
static int status_json(struct client *client, const char *path)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    int r = call_method(client, path, "org.freedesktop.DBus.Properties", "GetAll", &error, &reply,
                        "s", CHILD);

    if (r >= 0)
        r = answer_message(client, reply, NULL);
    return r < 0 ? client_error(client, &error, r) : CTL_DONE;
}

/* Without an id: the list, or with --json the whole state. */
static int status_of_tree(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    int r;

    if (client->json == JSON_OFF)
        return command_list(client);
    r = call_method(client, PATH, MANAGER, "CurrentState", &error, &reply, NULL);
    if (r >= 0)
        r = answer_message(client, reply, NULL);
    return r < 0 ? client_error(client, &error, r) : CTL_DONE;
}

/* The exit status is the worst of all children. */
int command_status(struct client *client)
{
    int worst = CTL_DONE;

    if (client->n_arguments == 0)
        return status_of_tree(client);
    if (client->n_arguments > 1)
        document_list(client);
    for (int i = 0; i < client->n_arguments; i++) {
        char *path = NULL;
        client->subject = client->arguments[i];
        int code = client_child_path(client, client->subject, &path);
        if (code == CTL_DONE)
            code = client->json == JSON_OFF ? status_table(client, client->arguments[i], path)
                                            : status_json(client, path);
        free(path);
        worst = code > worst ? code : worst;
    }
    return worst;
}

/* ---- verbs ----------------------------------------------------------------------------------- */

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* One verb on one child. */
static int verb_on(struct client *client, const char *method, const char *id)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    int r = client_call(client, PATH, MANAGER, method, &call);

    if (r >= 0)
        r = sd_bus_message_append(call, "s", id);
    if (r >= 0)
        r = client_append_reason(client, call);
    if (r >= 0)
        r = client_wait(client, call, &error, &reply);
    return r < 0 ? client_error(client, &error, r) : outcome_answer(client, id, reply);
}

/* The time is for all that are named, not for each of them. */
static void leave_what_is_left(struct client *client, uint64_t end_usec)
{
    uint64_t now = now_usec();

    if (end_usec < UINT64_MAX)
        client->timeout_usec = end_usec > now ? end_usec - now : 1;
}

/* --timeout limits the whole command: each child gets what is left of it. */
int command_verb(struct client *client, const char *method)
{
    bool limited = client->timeout_usec > 0 && client->timeout_usec < UINT64_MAX;
    uint64_t end_usec = limited ? now_usec() + client->timeout_usec : UINT64_MAX;
    int worst = CTL_DONE;

    if (client->n_arguments > 1)
        document_list(client);
    for (int i = 0; i < client->n_arguments; i++) {
        const char *id = client->subject = client->arguments[i];
        leave_what_is_left(client, end_usec);
        int code =
            scope_is_meant(id) ? scope_verb(client, method, id) : verb_on(client, method, id);
        worst = code > worst ? code : worst;
    }
    return worst;
}

/* The name of the signal is resolved here, since numbers differ between
 * architectures. */
int command_kill(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    const char *name = client->arguments[1];
    char *path = NULL;
    int signal;

    if (unit_signal(name, &signal) < 0)
        return client_fail(client, "expected a signal such as SIGTERM, got \"%s\"", name);
    int code = client_child_path(client, client->arguments[0], &path);
    if (code != CTL_DONE)
        return code;
    int r = client_call(client, path, CHILD, "Kill", &call);
    free(path);
    if (r >= 0)
        r = sd_bus_message_append(call, "si", "main", signal);
    if (r >= 0)
        r = client_append_reason(client, call);
    if (r >= 0)
        r = client_wait(client, call, &error, &reply);
    return r < 0 ? client_error(client, &error, r)
                 : outcome_answer(client, client->arguments[0], reply);
}

/* ---- add, reload, shutdown ------------------------------------------------------------------- */

/* Returns 0, -EFBIG, or another negative errno. */
static int read_standard_input(char **text, size_t *length)
{
    char *memory = malloc(MANIFEST_FILE_MAX + 2);

    if (!memory)
        return -ENOMEM;
    size_t n = fread(memory, 1, MANIFEST_FILE_MAX + 1, stdin);
    if (ferror(stdin) || n > MANIFEST_FILE_MAX) {
        free(memory);
        return n > MANIFEST_FILE_MAX ? -EFBIG : -EIO;
    }
    memory[n] = '\0';
    *text = memory;
    *length = n;
    return 0;
}

/* From a file or from standard input. A NUL character would silently cut the
 * text. */
char *client_read_manifest(struct client *client, const char *path)
{
    bool standard_input = strcmp(path, "-") == 0;
    size_t length;
    char *text;
    int r = standard_input ? read_standard_input(&text, &length)
                           : read_regular(AT_FDCWD, path, MANIFEST_FILE_MAX, &text, &length);

    if (r == 0 && strlen(text) == length)
        return text;
    if (r == 0) {
        free(text);
        client_fail(client, "%s: contains a NUL character: not a text file", path);
    } else {
        client_fail(client, "%s: %s", path, open_regular_explain(AT_FDCWD, path, r));
    }
    return NULL;
}

static const char *version_of(sd_bus_message *reply)
{
    const char *key, *version = "?";

    if (sd_bus_message_enter_container(reply, 'a', "{sv}") >= 0 &&
        sd_bus_message_enter_container(reply, 'e', "sv") > 0 &&
        sd_bus_message_read(reply, "s", &key) >= 0)
        sd_bus_message_read(reply, "v", "s", &version);
    return version;
}

/* Returns when the new program has answered. */
int command_reexec(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    int r = client_call(client, PATH, MANAGER, "Reexecute", &call);

    if (r >= 0)
        r = client_append_reason(client, call);
    if (r >= 0)
        r = client_wait(client, call, &error, &reply);
    if (r >= 0 && client->json != JSON_OFF)
        r = answer_message(client, reply, NULL);
    else if (r >= 0 && !client->quiet)
        printf("proctord %s %s\n", version_of(reply),
               client->dry_run ? "can take over" : "has taken over");
    return r < 0 ? client_error(client, &error, r) : CTL_DONE;
}

/* Keys that are not in the table are skipped. */
static int print_report_row(struct table *table, sd_bus_message *m)
{
    const char *id = "", *result = "", *exit = "", *reason = "";
    uint64_t generation = 0, attempt = 0;
    char numbers[2][24];
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *key;
        r = sd_bus_message_read(m, "s", &key);
        if (r < 0)
            return r;
        if (strcmp(key, "ChildId") == 0)
            r = sd_bus_message_read(m, "v", "s", &id);
        else if (strcmp(key, "Result") == 0)
            r = sd_bus_message_read(m, "v", "s", &result);
        else if (strcmp(key, "Exit") == 0)
            r = sd_bus_message_read(m, "v", "s", &exit);
        else if (strcmp(key, "Reason") == 0)
            r = sd_bus_message_read(m, "v", "s", &reason);
        else if (strcmp(key, "Generation") == 0)
            r = sd_bus_message_read(m, "v", "t", &generation);
        else if (strcmp(key, "Attempt") == 0)
            r = sd_bus_message_read(m, "v", "t", &attempt);
        else
            r = sd_bus_message_skip(m, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, generation);
    snprintf(numbers[1], sizeof(numbers[1]), "%" PRIu64, attempt);
    table_add(table, "", (const char *const[]){id, result, exit, numbers[0], numbers[1], reason});
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* A title and ids on one line. */
static int print_ids(sd_bus_message *reply, const char *title)
{
    int r = sd_bus_message_enter_container(reply, 'v', "as");
    const char *id;

    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "s");
    fputs(title, stdout);
    while (r >= 0 && (r = sd_bus_message_read(reply, "s", &id)) > 0) {
        fputc(' ', stdout);
        text_write(stdout, id);
    }
    fputc('\n', stdout);
    for (int i = 0; r >= 0 && i < 2; i++)
        r = sd_bus_message_exit_container(reply);
    return r;
}

/* The report, or what a dry run or a timeout reports in its place. */
static int print_report(struct client *client, sd_bus_message *reply)
{
    static const char *const titles[] = {"CHILD",    "RESULT", "EXIT", ">GEN",
                                         ">ATTEMPT", "REASON", NULL};
    int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        const char *key, *phase;
        r = sd_bus_message_read(reply, "s", &key);
        if (r >= 0 && strcmp(key, "Phase") == 0) {
            r = sd_bus_message_read(reply, "v", "s", &phase);
            printf("shutdown: %s\n", phase);
        } else if (r >= 0 && strcmp(key, "Report") == 0) {
            struct table *table = table_new(client, titles);
            r = sd_bus_message_enter_container(reply, 'v', "aa{sv}");
            if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
            while (r >= 0 && sd_bus_message_at_end(reply, false) == 0)
                r = print_report_row(table, reply);
            table_print(table);
            for (int i = 0; r >= 0 && i < 2; i++)
                r = sd_bus_message_exit_container(reply);
        } else if (r >= 0 && strcmp(key, "StillThere") == 0) {
            r = print_ids(reply, "timed out; still running:");
        } else if (r >= 0 && strcmp(key, "WouldStop") == 0) {
            r = print_ids(reply, "would stop:");
        } else if (r >= 0) {
            r = sd_bus_message_skip(reply, "v");
        }
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    return r;
}

/* With --wait, the report comes after everything has stopped. */
int command_shutdown(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *call = NULL, *reply = NULL;
    int r = client_call(client, PATH, MANAGER, "Shutdown", &call);

    if (r >= 0)
        r = client_append_reason(client, call);
    if (r >= 0)
        r = client_wait(client, call, &error, &reply);
    if (r < 0)
        return client_error(client, &error, r);
    if (client->json != JSON_OFF)
        r = answer_message(client, reply, (const char *const[]){"CommandId", NULL});
    else if (!client->quiet)
        r = print_report(client, reply);
    if (r < 0)
        return client_error(client, NULL, r);
    return client_timed_out(reply) ? CTL_TIMED_OUT : CTL_DONE;
}

/* The text as it is. */
int command_metrics(struct client *client)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    const char *text;
    int r = call_method(client, PATH, MANAGER, "GetMetrics", &error, &reply, NULL);

    if (r >= 0)
        r = sd_bus_message_read(reply, "s", &text);
    if (r < 0)
        return client_error(client, &error, r);
    if (client->json != JSON_OFF)
        answer_pair(client, "openmetrics", text);
    else
        fputs(text, stdout);
    return CTL_DONE;
}
