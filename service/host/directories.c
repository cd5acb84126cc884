/*
 * Where runtime, state, logs and cache directories are: of the system for root,
 * of the user otherwise (file-hierarchy(7), the XDG specification).
 */
#include "host/directories.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static const struct {
    const char *variable;
    const char *system;
    const char *xdg; /* of a user: this variable, and below it */
    const char *below;
    const char *below_home; /* without that variable; NULL: nowhere */
} places[DIRECTORY_KINDS] = {
    [DIRECTORY_RUNTIME] = {"RUNTIME_DIRECTORY", "/run", "XDG_RUNTIME_DIR", "", NULL},
    [DIRECTORY_STATE] = {"STATE_DIRECTORY", "/var/lib", "XDG_STATE_HOME", "", "/.local/state"},
    [DIRECTORY_LOGS] = {"LOGS_DIRECTORY", "/var/log", "XDG_STATE_HOME", "/log",
                        "/.local/state/log"},
    [DIRECTORY_CACHE] = {"CACHE_DIRECTORY", "/var/cache", "XDG_CACHE_HOME", "", "/.cache"},
};

/* The specification ignores what is not absolute. */
static const char *absolute(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] == '/' ? value : NULL;
}

static int join(const char *above, const char *below, char **path)
{
    return asprintf(path, "%s%s", above, below) < 0 ? -ENOMEM : 0;
}

/* getauxval(3) instead of geteuid(): the identity with which the program was
 * started. */
int directories_find(struct directories *directories, enum directory_kind kind)
{
    INVARIANT(kind < DIRECTORY_KINDS && !directories->bases[kind]);
    char **base = &directories->bases[kind];
    const char *xdg = absolute(places[kind].xdg), *home = absolute("HOME");

    *base = NULL;
    if (getauxval(AT_EUID) == 0)
        return join(places[kind].system, "", base);
    if (xdg)
        return join(xdg, places[kind].below, base);
    return home && places[kind].below_home ? join(home, places[kind].below_home, base) : -ENXIO;
}

/* The paths as one variable, joined with colons, as systemd does it. */
int directories_variable(const struct directories *directories, enum directory_kind kind,
                         const char *const *names, char **variable)
{
    const char *base = directories->bases[kind];
    size_t size = strlen(places[kind].variable) + 2;

    for (size_t i = 0; names[i]; i++)
        size += strlen(base) + strlen(names[i]) + 2;
    char *text = malloc(size);
    if (!text)
        return -ENOMEM;
    int at = snprintf(text, size, "%s=", places[kind].variable);
    for (size_t i = 0; names[i]; i++)
        at += snprintf(text + at, size - (size_t)at, "%s%s/%s", i > 0 ? ":" : "", base, names[i]);
    *variable = text;
    return 0;
}

/* For an error: the name in the manifest that belongs to a number in the
 * plan. */
const char *directories_name(const struct process_spec *spec, enum directory_kind kind,
                             uint32_t number)
{
    INVARIANT(spec);
    const char **names = kind < DIRECTORY_KINDS ? spec->directories[kind].names : NULL;

    for (uint32_t i = 0; names && names[i]; i++)
        if (i == number)
            return names[i];
    return NULL;
}

void directories_free(struct directories *directories)
{
    for (size_t kind = 0; kind < DIRECTORY_KINDS; kind++)
        free(directories->bases[kind]);
    *directories = (struct directories){};
}
