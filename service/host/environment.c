/*
 * The environment of a child, from nothing: nothing of proctord's own leaks
 * into it. Order is precedence, and the last of a name wins.
 */
#include "host/environment.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define VARIABLES_MAX 1024

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
    size_t before; /* those that the environment file may replace: the first ones */
};

static void drop(struct list *list, size_t i)
{
    free(list->variables[i]);
    list->count--;
    list->before -= i < list->before;
    memmove(&list->variables[i], &list->variables[i + 1],
            (list->count - i) * sizeof(list->variables[0]));
}

/* Takes the variable over; a later one of the same name wins. */
static int put(struct list *list, char *variable)
{
    if (!variable)
        return -ENOMEM;
    size_t name = strcspn(variable, "=") + 1;
    for (size_t i = 0; i < list->count; i++)
        if (strncmp(list->variables[i], variable, name) == 0) {
            drop(list, i);
            break;
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

static int put_session(struct list *list)
{
    int r = put_inherited(list, "LANG");
    if (getauxval(AT_EUID) != 0)
        for (size_t i = 0; r == 0 && i < sizeof(session_variables) / sizeof(char *); i++)
            r = put_inherited(list, session_variables[i]);
    return r;
}

/* As login(1) does it; where the user database does not know the user there is nothing to say. */
static int put_account(struct list *list, const struct account *account)
{
    int r = 0;

    if (!account || !account->has_user)
        return 0;
    if (account->home)
        r = put_format(list, "HOME=%s", account->home);
    if (r == 0 && account->shell)
        r = put_format(list, "SHELL=%s", account->shell);
    if (r == 0 && account->name)
        r = put_format(list, "USER=%s", account->name);
    if (r == 0 && account->name)
        r = put_format(list, "LOGNAME=%s", account->name);
    return r;
}

/* What makes a process recognizable as the child's, and lets it speak to us. */
static int put_identity(struct list *list, const struct child *child, uint32_t check,
                        const char *notify_socket)
{
    int r = put_format(list, "PROCTOR_CHILD=%s", child->id);
    if (r == 0)
        r = put_format(list, "PROCTOR_GENERATION=%" PRIu64, child->attempt.generation);
    if (r == 0)
        r = put_format(list, "PROCTOR_ATTEMPT=%" PRIu64, child->attempt.number);
    if (r == 0)
        r = put_format(list, "PROCTOR_FENCE=%" PRIu64, child->fence);
    if (r == 0 && check > 0)
        r = put_format(list, "PROCTOR_CHECK=%" PRIu32, check);
    if (r == 0)
        r = put_format(list, "NOTIFY_SOCKET=%s", notify_socket);
    if (r == 0 && child->job && check == 0) /* behind the sockets */
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
 * A program that uses sd_watchdog_enabled(3) beats twice within WATCHDOG_USEC: twice the interval
 * makes that one beat an interval.
 */
static int put_watchdog(struct list *list, const struct child *child, char **watchdog_pid)
{
    uint64_t interval = child->config->declaration.heartbeat_usec;
    if (interval == 0)
        return 0;

    int r = put_format(list, "WATCHDOG_USEC=%" PRIu64, 2 * interval);
    return r == 0 ? put_pid(list, "WATCHDOG_PID=", watchdog_pid) : r;
}

/* Behind the sockets of the manifest come those that the child has put into its store. */
static int put_sockets(struct list *list, const struct process_spec *spec,
                       const struct fd_store *store, char **listen_pid)
{
    char names[SOCKETS_MAX * (CHILD_SEGMENT_MAX + 1) + FD_STORE_MAX * (FD_STORE_NAME_MAX + 1) + 1];
    size_t stored = store ? store->count : 0, n = spec->n_sockets + stored;

    if (n == 0)
        return 0;
    names[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        strcat(names, i > 0 ? ":" : "");
        strcat(names,
               i < spec->n_sockets ? spec->sockets[i].name : store->list[i - spec->n_sockets].name);
    }
    int r = put_format(list, "LISTEN_FDS=%zu", n);
    if (r == 0)
        r = put_format(list, "LISTEN_FDNAMES=%s", names);
    return r == 0 ? put_pid(list, "LISTEN_PID=", listen_pid) : r;
}

/* $RUNTIME_DIRECTORY and its kin, as systemd has them. */
static int put_directories(struct list *list, const struct process_spec *spec,
                           struct directories *directories)
{
    int r = 0;

    for (enum directory_kind kind = 0; r == 0 && kind < DIRECTORY_KINDS; kind++) {
        char *variable;
        if (!spec->directories[kind].names)
            continue;
        r = directories_find(directories, kind);
        if (r == 0)
            r = directories_variable(directories, kind, spec->directories[kind].names, &variable);
        if (r == 0)
            r = put(list, variable);
    }
    return r;
}

/* The identity comes after the manifest's variables: no manifest can replace
 * it. */
static int fill(struct list *list, const struct child *child, const struct account *account,
                uint32_t check, const char *notify_socket, const struct fd_store *store,
                struct environment *environment)
{
    const struct process_spec *spec = &child->config->declaration.process;
    int r = put_format(list, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");

    if (r == 0)
        r = put_session(list);
    if (r == 0)
        r = put_account(list, account);
    if (r == 0)
        r = put_directories(list, spec, &environment->directories);
    list->before = list->count;
    for (const char **v = spec->environment; r == 0 && v && *v; v++)
        r = put_format(list, "%s", *v);
    if (r == 0)
        r = put_identity(list, child, check, notify_socket);
    if (r == 0)
        r = put_watchdog(list, child, &environment->watchdog_pid);
    if (r == 0)
        r = put_sockets(list, spec, store, &environment->listen_pid);
    return r;
}

/* `before` counts those that an environment file may override. */
int environment_make(const struct child *child, const struct account *account, uint32_t check,
                     const char *notify_socket, const struct fd_store *store,
                     struct environment *environment)
{
    struct list *list = calloc(1, sizeof(*list));

    INVARIANT(child_is_sound(child));
    *environment = (struct environment){};
    if (!list)
        return -ENOMEM;
    environment->variables = list->variables;
    int r = fill(list, child, account, check, notify_socket, store, environment);
    environment->before = list->before;
    if (r < 0)
        environment_free(environment);
    return r;
}

int environment_add_program(struct environment *environment,
                            const struct environment_program *program)
{
    struct list *list = (struct list *)(void *)environment->variables; /* its first member */
    int r = 0;

    if (program->main_pid > 0)
        r = put_format(list, "PROCTOR_MAIN_PID=%d", (int)program->main_pid);
    if (r == 0 && program->exit)
        r = put_format(list, "PROCTOR_EXIT=%s", program->exit);
    if (r == 0 && program->exit && !program->unknown)
        r = program->signal > 0 ? put_format(list, "PROCTOR_EXIT_SIGNAL=%d", program->signal)
                                : put_format(list, "PROCTOR_EXIT_CODE=%d", program->code);
    return r;
}

/* Two of the variables are written to by the birth; they lie in the same
 * memory. */
void environment_free(struct environment *environment)
{
    if (!environment->variables)
        return;
    directories_free(&environment->directories);
    for (char **variable = environment->variables; *variable; variable++)
        free(*variable);
    free(environment->variables); /* first member of its list */
    *environment = (struct environment){};
}
