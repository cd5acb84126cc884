/*
 * Folders with a `run` file, as daemontools, runit and s6 have them. What these
 * programs do by default, such as restarting without a limit after a second, is
 * written out in the manifest, so that a converted child behaves as before.
 */
#include "convert/run_folder.h"

#include "convert/source.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    struct conversion *conversion;
    const char *path; /* absolute */
    struct draft *draft;
};

static const char *file_in(const struct folder *folder, const char *name)
{
    return conversion_format(folder->conversion, "%s/%s", folder->path, name);
}

static bool has(const struct folder *folder, const char *name)
{
    return access(file_in(folder, name), F_OK) == 0;
}

/* The first line of a small file; "" where there is none. */
static const char *line_in(const struct folder *folder, const char *name)
{
    const char *text = "";

    if (!has(folder, name) || source_read(folder->conversion, file_in(folder, name), &text) < 0)
        return "";
    return conversion_copy(folder->conversion, text, strcspn(text, "\r\n"));
}

static void lose(const struct folder *folder, const char *name, const char *why)
{
    if (has(folder, name))
        conversion_lose(folder->conversion, (struct place){folder->path, 0}, name, why);
}

/* s6-rc: one name of a service on a line of `dependencies`, or a file in dependencies.d each. */
static void take_dependencies(const struct folder *folder)
{
    const char *text = "";

    if (has(folder, "dependencies") &&
        source_read(folder->conversion, file_in(folder, "dependencies"), &text) == 0)
        while (*text) {
            size_t n = strcspn(text, "\r\n");
            if (n > 0 && *text != '#')
                draft_append_once(folder->draft, "requires",
                                  conversion_copy(folder->conversion, text, n));
            text += n + (text[n] != '\0');
        }
    struct dirent **entries = NULL;
    int count = scandir(file_in(folder, "dependencies.d"), &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.' && strcmp(entries[i]->d_name, "base") != 0)
            draft_append_once(folder->draft, "requires", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

/* The files beside `run` are settings, each with one value. */
static void take_files(const struct folder *folder)
{
    const char *signal = line_in(folder, "down-signal"),
               *milliseconds = line_in(folder, "timeout-kill");
    const char *type = line_in(folder, "type");

    if (strcmp(type, "oneshot") == 0)
        draft_set(folder->draft, "kind", "job", NULL);
    else { /* restarted without a limit, after a second */
        draft_set(folder->draft, "kind", "service", NULL);
        draft_set(folder->draft, "restart_limit.burst", "10000", "no limit");
        draft_set(folder->draft, "restart_limit.interval", "1s", NULL);
        draft_set(folder->draft, "backoff.initial", "1s", NULL);
        draft_set(folder->draft, "backoff.max", "1s", NULL);
        draft_set(folder->draft, "backoff.jitter", "none", NULL);
        draft_clear(folder->draft, "fatal_exit_codes");
    }
    if (has(folder, "down"))
        draft_set(folder->draft, "autostart", "false", NULL);
    if (*signal)
        draft_set(folder->draft, "stop.signal", signal, NULL);
    if (*milliseconds && strspn(milliseconds, "0123456789") == strlen(milliseconds))
        draft_set(folder->draft, "stop.timeout",
                  strcmp(milliseconds, "0") == 0
                      ? "0"
                      : conversion_format(folder->conversion, "%sms", milliseconds),
                  NULL);
    draft_set(folder->draft, "working_directory", folder->path, NULL);
    lose(folder, "max-death-tally", "see restart_limit");
    lose(folder, "finish", "no command is run after an exit");
    lose(folder, "check", "name it in health_check, if it does not wait");
    lose(folder, "data", "stands where it stood: it is found from the working directory");
    lose(folder, "notification-fd", "readiness is a message: sd_notify(3), or systemd-notify(1)");
    lose(folder, "log", "output goes to the journal; a file is written by `stdout: {file: ...}`");
    lose(folder, "producer-for", "output goes to the journal, to no other child");
    lose(folder, "control", "signals are sent by proctorctl kill");
    lose(folder, "nosetsid", "each child has a session of its own");
    take_dependencies(folder);
}

/* One service. The program of a oneshot of s6-rc is a line of execline. */
static int take_folder(struct conversion *c, const char *path, const char *program)
{
    struct folder folder = {.conversion = c, .path = path};

    folder.draft = draft_new(c, (struct place){path, 0}, source_base(path));
    if (!folder.draft)
        return conversion_result(c);
    c->n_kept++;
    if (strcmp(program, "up") == 0) { /* a command line of execline */
        draft_append(folder.draft, "exec", "/bin/execlineb");
        draft_append(folder.draft, "exec", "-P");
    }
    draft_append(folder.draft, "exec", file_in(&folder, program));
    take_files(&folder);
    return conversion_result(c);
}

static int take_one(struct conversion *c, const char *path, bool *is_service)
{
    struct folder folder = {.conversion = c, .path = path};

    *is_service = has(&folder, "run") || has(&folder, "up");
    return *is_service ? take_folder(c, path, has(&folder, "run") ? "run" : "up") : 0;
}

/* The folder itself, or all folders in it. */
int run_folder_convert(struct conversion *conversion, const char *path)
{
    char resolved[PATH_MAX];
    struct dirent **entries = NULL;
    bool is_service, any = false;

    assert(conversion && path);
    if (!realpath(path, resolved))
        return conversion_refuse(conversion, (struct place){path, 0}, "%s", strerror(errno));
    const char *folder = conversion_copy(conversion, resolved, strlen(resolved));
    int r = take_one(conversion, folder, &is_service);
    if (r < 0 || is_service)
        return r;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (r == 0 && entries[i]->d_name[0] != '.') {
            r = take_one(conversion,
                         conversion_format(conversion, "%s/%s", folder, entries[i]->d_name),
                         &is_service);
            any |= is_service;
        }
        free(entries[i]);
    }
    free(entries);
    if (r == 0 && !any)
        return conversion_refuse(conversion, (struct place){path, 0},
                                 "a folder without a `run` file, also in the folders in it");
    return r;
}
