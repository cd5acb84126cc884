/*
 * Errors, exit codes and options of all commands. An error is printed once, in
 * words, on standard error; with --json it is a document on standard output as
 * well.
 */
#include "ctl/client.h"

#include "ctl/call.h"
#include "ctl/document.h"
#include "ctl/hints.h"
#include "ctl/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_USEC  (UINT64_C(3600) * 1000000) /* proctord's own, where nothing is said */
#define GRACE_USEC (UINT64_C(10) * 1000000)

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CLEANUP_ERROR   __attribute__((cleanup(sd_bus_error_free))) sd_bus_error

/* ---- what went wrong ------------------------------------------------------------------------- */

static void print_error(const char *message)
{
    fputs("proctorctl: ", stderr);
    text_write(stderr, message);
    fputc('\n', stderr);
}

/* For standard error, whatever the format of the output is. */
void client_note(const char *format, ...)
{
    char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    int length = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    print_error(message);
    free(message);
}

void client_hint(char *text)
{
    if (!text)
        return;
    fputs("Hint: ", stderr);
    text_write(stderr, text);
    fputc('\n', stderr);
    free(text);
}

/* Returns the exit code, so that a command can end with `return
 * client_fail(...)`. */
int client_fail(struct client *client, const char *format, ...)
{
    char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    int length = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (length < 0)
        return CTL_ERROR;
    print_error(message);
    if (client->json != JSON_OFF)
        answer_error(client, NULL, message);
    free(message);
    return CTL_ERROR;
}

/* Nothing is started by a call, so a name without an owner is just that. */
static bool is_absent(const char *error)
{
    return strcmp(error, SD_BUS_ERROR_SERVICE_UNKNOWN) == 0 ||
           strcmp(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) == 0;
}

/* Why proctord cannot be reached, as far as it can be seen from here. */
static const char *describe_absence(struct client *client, char *text, size_t size)
{
    const char *address = "?";

    if (client->host) {
        snprintf(text, size, "proctord is not running on %.200s, or is on another bus there",
                 client->host);
        return text;
    }
    sd_bus_get_address(client->bus, &address);
    snprintf(text, size,
             "proctord is not on the bus at %.200s: it is not running, is still waiting for this "
             "bus (see its log), or is on another bus",
             address);
    return text;
}

/* Turns the D-Bus error into an exit code, and adds what the user can do about
 * it: start proctord, look at the list, ask root. */
int client_error(struct client *client, const sd_bus_error *error, int r)
{
    const char *name = error && error->name ? error->name : "";
    const char *message = error && error->message ? error->message : strerror(-r);
    bool absent = is_absent(name);
    char text[400];

    if (absent)
        message = describe_absence(client, text, sizeof(text));
    print_error(message);
    if (client->json != JSON_OFF)
        answer_error(client, error ? error->name : NULL, message);
    if (absent && !client->host)
        fputs("Start it (systemctl start proctor, or proctord by hand), or name another bus with "
              "--address, --user or --system.\n",
              stderr);
    if (strcmp(name, "org.proctor1.Error.NoSuchChild") == 0) {
        fputs("\"proctorctl list\" lists the children.\n", stderr);
        if (client->subject || client->n_arguments > 0)
            client_hint(
                hint_child(client, client->subject ? client->subject : client->arguments[0]));
        return CTL_NO_SUCH_CHILD;
    }
    if (strcmp(name, SD_BUS_ERROR_ACCESS_DENIED) == 0 ||
        strcmp(name, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) == 0) {
        bool by_polkit = error->message && strncmp(error->message, "org.proctor1.", 13) == 0;
        fputs(by_polkit ? "Root may do this; a rule in /etc/polkit-1/rules.d can allow others to "
                          "(see proctord(8)).\n"
                        : "Root may do this.\n",
              stderr);
        return CTL_NOT_ALLOWED;
    }
    if (strcmp(name, "org.proctor1.Error.ShuttingDown") == 0)
        return CTL_REJECTED;
    if (strcmp(name, "org.proctor1.Error.TimedOut") == 0)
        return CTL_TIMED_OUT;
    return CTL_ERROR;
}

/* ---- calls ----------------------------------------------------------------------------------- */

int client_call(struct client *client, const char *path, const char *interface, const char *method,
                sd_bus_message **call)
{
    return call_new(client, path, interface, method, call);
}

/* The options that every command has. What was not given is not sent, so
 * proctord applies its own defaults. */
int client_append_reason(struct client *client, sd_bus_message *call)
{
    int r = sd_bus_message_append(call, "s", client->reason);

    if (r >= 0)
        r = sd_bus_message_open_container(call, 'a', "{sv}");
    if (r >= 0 && client->requested_by)
        r = sd_bus_message_append(call, "{sv}", "requested-by", "s", client->requested_by);
    if (r >= 0 && client->wait)
        r = sd_bus_message_append(call, "{sv}", "wait", "b", 1);
    if (r >= 0 && client->wait && client->timeout_usec > 0)
        r = sd_bus_message_append(call, "{sv}", "wait-usec", "t", client->timeout_usec);
    if (r >= 0 && client->within_usec > 0)
        r = sd_bus_message_append(call, "{sv}", "timeout-usec", "t", client->within_usec);
    if (r >= 0 && client->dry_run)
        r = sd_bus_message_append(call, "{sv}", "dry-run", "b", 1);
    if (r >= 0 && client->restart)
        r = sd_bus_message_append(call, "{sv}", "restart", "b", 1);
    return r < 0 ? r : sd_bus_message_close_container(call);
}

int client_wait(struct client *client, sd_bus_message *call, sd_bus_error *error,
                sd_bus_message **reply)
{
    uint64_t most = client->timeout_usec > 0 ? client->timeout_usec : WAIT_USEC;

    return sd_bus_call(client->bus, call, most < UINT64_MAX - GRACE_USEC ? most + GRACE_USEC : most,
                       error, reply);
}

/* Looks for TimedOut in the reply, which is rewound for the next reader. */
bool client_timed_out(sd_bus_message *reply)
{
    int timed_out = 0, r = sd_bus_message_rewind(reply, true);

    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
    while (r >= 0 && !timed_out && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        const char *key;
        r = sd_bus_message_read(reply, "s", &key);
        if (r >= 0 && strcmp(key, "TimedOut") == 0)
            r = sd_bus_message_read(reply, "v", "b", &timed_out);
        else if (r >= 0)
            r = sd_bus_message_skip(reply, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(reply);
    }
    sd_bus_message_rewind(reply, true);
    return timed_out;
}

/* An id becomes an object path; if there is no such child, that has been
 * reported. */
int client_child_path(struct client *client, const char *id, char **path)
{
    CLEANUP_ERROR error = SD_BUS_ERROR_NULL;
    CLEANUP_MESSAGE *reply = NULL;
    const char *found;
    int r = call_method(client, PATH, MANAGER, "GetChild", &error, &reply, "s", id);

    if (r < 0)
        return client_error(client, &error, r);
    r = sd_bus_message_read(reply, "o", &found);
    *path = r >= 0 ? strdup(found) : NULL;
    return *path ? CTL_DONE : client_error(client, NULL, r < 0 ? r : -ENOMEM);
}
