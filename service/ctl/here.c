#include "ctl/here.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static void warn(const struct here *here, const char *format,
                                                       ...)
{
    char text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    here->warn(here->userdata, text);
}

/* ---- programs -------------------------------------------------------------------------------- */

static void look_for_program(const struct here *here, const char *key, const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        warn(here, "%s: the program %.200s is not on this machine", key, path);
    else if (!S_ISREG(status.st_mode))
        warn(here, "%s: %.200s is not a program, but a %s", key, path,
             S_ISDIR(status.st_mode) ? "directory" : "special file");
    else if ((status.st_mode & 0111) == 0)
        warn(here, "%s: %.200s is not executable", key, path);
}

/* ---- what looks like a variable ---------------------------------------------------------------
 */

/* The length of $NAME, ${NAME} or %i at the beginning of a text; 0: it is none. */
static size_t variable_length(const char *text)
{
    size_t brace = text[0] == '$' && text[1] == '{';
    size_t length = 1 + brace;

    if (text[0] == '%' && text[1] && strchr("iInN", text[1]) && !isalnum((unsigned char)text[2]))
        return 2;
    if (text[0] != '$' || !(isalpha((unsigned char)text[length]) || text[length] == '_'))
        return 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    if (brace)
        return text[length] == '}' ? length + 1 : 0;
    return length;
}

static void look_for_variables(const struct here *here, const char *key, const char *text)
{
    for (; *text; text++) {
        size_t length = variable_length(text);
        if (length == 0)
            continue;
        warn(here, "%s: %.*s stays as it is: nothing replaces it%s", key,
             (int)(length < 60 ? length : 60), text,
             *text == '$' ? ", as there is no shell" : " in a manifest");
        return;
    }
}

/* What has a language of its own, in which these characters mean something. */
static bool is_interpreter(const char *path)
{
    static const char *const names[] = {"sh",   "bash", "dash", "zsh",  "ksh", "ash",  "busybox",
                                        "perl", "awk",  "mawk", "gawk", "sed", "date", "env"};
    const char *name = strrchr(path, '/');

    name = name ? name + 1 : path;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void look_at_arguments(const struct here *here, const char *key, const char **arguments)
{
    if (!arguments)
        return;
    look_for_program(here, key, arguments[0]);
    for (size_t i = 1; !is_interpreter(arguments[0]) && arguments[i]; i++)
        look_for_variables(here, key, arguments[i]);
}

static void look_at_commands(const struct here *here, const char *key,
                             const struct command_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        look_at_arguments(here, key, list->commands[i].arguments);
}

/* ---- users and groups -------------------------------------------------------------------------
 */

static bool is_number(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

static void look_for_user(const struct here *here, const char *name)
{
    if (name && !is_number(name) && !getpwnam(name))
        warn(here, "user: there is no user \"%.60s\" on this machine", name);
}

static void look_for_group(const struct here *here, const char *key, const char *name)
{
    if (name && !is_number(name) && !getgrnam(name))
        warn(here, "%s: there is no group \"%.60s\" on this machine", key, name);
}

/* ---- directories ------------------------------------------------------------------------------
 */

/* Whether a path lies in one of the directories that are made for the child. */
static bool is_made(const struct process_spec *process, const char *path)
{
    for (size_t kind = 0; kind < DIRECTORY_KINDS; kind++)
        for (const char **name = process->directories[kind].names; name && *name; name++) {
            const char *found = strstr(path, *name);
            size_t length = strlen(*name);
            if (found && found > path && found[-1] == '/' &&
                (found[length] == '\0' || found[length] == '/'))
                return true;
        }
    return false;
}

static void look_for_directory(const struct here *here, const struct process_spec *process,
                               const char *key, const char *path)
{
    struct stat status;

    if (is_made(process, path))
        return;
    if (stat(path, &status) < 0)
        warn(here, "%s: the directory %.200s is not on this machine", key, path);
    else if (!S_ISDIR(status.st_mode))
        warn(here, "%s: %.200s is not a directory", key, path);
}

static void look_above(const struct here *here, const struct process_spec *process, const char *key,
                       const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || (size_t)(slash - path) >= sizeof(folder))
        return;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    look_for_directory(here, process, key, folder);
}

static void look_at_sockets(const struct here *here, const struct process_spec *process)
{
    for (size_t i = 0; i < process->n_sockets; i++) {
        const struct socket_spec *socket = &process->sockets[i];
        if (socket->listen && socket->listen[0] == '/')
            look_above(here, process, "sockets", socket->listen);
    }
}

static void look_at_files(const struct here *here, const struct process_spec *process)
{
    const char *file = process->environment_file;

    if (process->working_directory)
        look_for_directory(here, process, "working_directory", process->working_directory);
    if (file && *file != '-' && access(file, F_OK) < 0)
        warn(here, "environment_file: %.200s is not on this machine", file);
    if (process->output.path)
        look_above(here, process, "stdout", process->output.path);
    look_at_sockets(here, process);
}

/* ---- sandboxes -------------------------------------------------------------------------------
 */

/* What carries a sandbox out: bubblewrap on this machine, libseccomp in this build. */
static void look_at_sandbox(const struct here *here, const struct sandbox_spec *sandbox)
{
    if (sandbox_has_namespaces(sandbox))
        look_for_program(here, "sandbox", PROCTOR_BWRAP);
#ifndef HAVE_SECCOMP
    if (sandbox && sandbox->parts[SANDBOX_SYSCALLS] == SYSCALLS_SERVICE)
        warn(here, "sandbox.syscalls: this build of proctor has no libseccomp, which it needs");
#endif
}

void here_look(const struct here *here, const struct child_declaration *declaration)
{
    const struct process_spec *process = &declaration->process;

    assert(here && declaration);
    look_at_arguments(here, "exec", process->arguments);
    look_at_commands(here, "before", &process->before);
    look_at_commands(here, "after_start", &process->after_start);
    look_at_commands(here, "reload", &process->reload);
    look_at_commands(here, "stop", &process->stop);
    look_at_commands(here, "after_stop", &process->after_stop);
    if (process->health)
        look_at_arguments(here, "health_check", process->health->arguments);
    for (const char **variable = process->environment; variable && *variable; variable++)
        look_for_variables(here, "environment", *variable);
    look_for_user(here, process->user);
    look_for_group(here, "unix_group", process->group);
    for (const char **name = process->supplementary_groups; name && *name; name++)
        look_for_group(here, "supplementary_groups", *name);
    look_at_files(here, process);
    look_at_sandbox(here, process->sandbox);
}
