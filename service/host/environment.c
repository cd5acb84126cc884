#include "environment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLES_MAX 1024
#define LINE_LIMIT    (64 * 1024)

/* What a user's children may need of the session that proctord runs in. */
static const char *const session_variables[] = {
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
};

struct list {
    char *variables[VARIABLES_MAX + 1];
    size_t count;
};

/* Takes the variable over; a later one of the same name wins. */
static int put(struct list *list, char *variable)
{
    if (!variable)
        return -ENOMEM;
    size_t name = strcspn(variable, "=") + 1;
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->variables[i], variable, name) == 0) {
            free(list->variables[i]);
            list->variables[i] = variable;
            return 0;
        }
    if (list->count == VARIABLES_MAX) {
        free(variable);
        return -E2BIG;
    }
    list->variables[list->count++] = variable;
    return 0;
}

__attribute__((format(printf, 2, 3))) static int put_format(struct list *list, const char *format,
                                                            ...)
{
    char *variable;
    va_list arguments;

    va_start(arguments, format);
    int n = vasprintf(&variable, format, arguments);
    va_end(arguments);
    return n < 0 ? -ENOMEM : put(list, variable);
}

static int put_inherited(struct list *list, const char *name)
{
    const char *value = getenv(name);
    return value ? put_format(list, "%s=%s", name, value) : 0;
}

static char *strip(char *line)
{
    line += strspn(line, " \t");
    size_t length = strlen(line);
    while (length > 0 && strchr(" \t\r\n", line[length - 1]))
        line[--length] = '\0';
    return line;
}

static int put_line(struct list *list, char *line)
{
    line = strip(line);
    char *value = strchr(line, '=');
    if (*line == '\0' || *line == '#' || !value || value == line)
        return 0;

    *value++ = '\0';
    size_t length = strlen(value);
    if (length >= 2 && (*value == '"' || *value == '\'') && value[length - 1] == *value) {
        value[length - 1] = '\0';
        value++;
    }
    return put_format(list, "%s=%s", line, value);
}

static int put_file(struct list *list, const char *path)
{
    bool optional = *path == '-';
    FILE *file = fopen(path + optional, "re");
    char *line = NULL;
    size_t capacity = 0;
    int r = 0;

    if (!file)
        return optional && errno == ENOENT ? 0 : -errno;
    for (ssize_t n; r == 0 && (n = getline(&line, &capacity, file)) > 0;)
        r = n < LINE_LIMIT ? put_line(list, line) : -E2BIG;
    free(line);
    fclose(file);
    return r;
}

static int put_session(struct list *list)
{
    int r = put_inherited(list, "LANG");
    if (geteuid() != 0)
        for (size_t i = 0; r == 0 && i < sizeof(session_variables) / sizeof(char *); i++)
            r = put_inherited(list, session_variables[i]);
    return r;
}

static int put_identity(struct list *list, const struct child *child, const char *notify_socket)
{
    int r = put_format(list, "PROCTOR_CHILD=%s", child->id);
    if (r == 0)
        r = put_format(list, "PROCTOR_GENERATION=%" PRIu64, child->attempt.generation);
    if (r == 0)
        r = put_format(list, "PROCTOR_ATTEMPT=%" PRIu64, child->attempt.number);
    if (r == 0)
        r = put_format(list, "NOTIFY_SOCKET=%s", notify_socket);
    if (r == 0 && child->job) /* behind the sockets */
        r = put_format(list, "PROCTOR_RESULT_FD=%zu",
                       3 + child->config->declaration.process.n_sockets);
    return r;
}

/* A variable that holds the process's own PID: the child side writes the digits. */
static int put_pid(struct list *list, const char *name, char **digits)
{
    char *variable = calloc(1, 32);
    if (!variable)
        return -ENOMEM;
    strcpy(variable, name);
    *digits = variable + strlen(variable);
    return put(list, variable);
}

/*
 * Who uses sd_watchdog_enabled(3) beats twice within WATCHDOG_USEC: twice the interval makes that
 * one beat an interval.
 */
static int put_watchdog(struct list *list, const struct child *child, char **watchdog_pid)
{
    uint64_t interval = child->config->declaration.heartbeat_usec;
    if (interval == 0)
        return 0;

    int r = put_format(list, "WATCHDOG_USEC=%" PRIu64, 2 * interval);
    return r == 0 ? put_pid(list, "WATCHDOG_PID=", watchdog_pid) : r;
}

static int put_sockets(struct list *list, const struct process_spec *spec, char **listen_pid)
{
    char names[SOCKETS_MAX * (CHILD_SEGMENT_MAX + 1) + 1] = "";

    if (spec->n_sockets == 0)
        return 0;
    for (size_t i = 0; i < spec->n_sockets; i++) {
        strcat(names, i > 0 ? ":" : "");
        strcat(names, spec->sockets[i].name);
    }
    int r = put_format(list, "LISTEN_FDS=%zu", spec->n_sockets);
    if (r == 0)
        r = put_format(list, "LISTEN_FDNAMES=%s", names);
    return r == 0 ? put_pid(list, "LISTEN_PID=", listen_pid) : r;
}

static int fill(struct list *list, const struct child *child, const char *notify_socket,
                struct environment *environment)
{
    const struct process_spec *spec = &child->config->declaration.process;
    int r = put_format(list, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

    if (r == 0)
        r = put_session(list);
    if (r == 0 && spec->user)
        r = put_format(list, "USER=%s", spec->user);
    if (r == 0 && spec->environment_file)
        r = put_file(list, spec->environment_file);
    for (const char **v = spec->environment; r == 0 && v && *v; v++)
        r = put_format(list, "%s", *v);
    if (r == 0)
        r = put_identity(list, child, notify_socket);
    if (r == 0)
        r = put_watchdog(list, child, &environment->watchdog_pid);
    if (r == 0)
        r = put_sockets(list, spec, &environment->listen_pid);
    return r;
}

int environment_make(const struct child *child, const char *notify_socket,
                     struct environment *environment)
{
    struct list *list = calloc(1, sizeof(*list));

    *environment = (struct environment){};
    if (!list)
        return -ENOMEM;
    environment->variables = list->variables;
    int r = fill(list, child, notify_socket, environment);
    if (r < 0)
        environment_free(environment);
    return r;
}

void environment_free(struct environment *environment)
{
    if (!environment->variables)
        return;
    for (char **variable = environment->variables; *variable; variable++)
        free(*variable);
    free(environment->variables); /* first member of its list */
    *environment = (struct environment){};
}
