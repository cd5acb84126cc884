/*
 * The hosts of -H: up to 64 names, separated by commas.
 */
#include "ctl/hosts.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define NAME_MAX_BYTES 255

/* One that begins with a dash would be an option of ssh. */
static bool is_name(const char *name)
{
    const char *host = strrchr(name, '@');

    host = host ? host + 1 : name;
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 127)
            return false;
    return name[0] != '-' && name[0] != '@' && host[0] && host[0] != '-' &&
           strlen(name) <= NAME_MAX_BYTES;
}

static bool is_named(const struct hosts *hosts, const char *name)
{
    for (size_t i = 0; i < hosts->count; i++)
        if (strcmp(hosts->names[i], name) == 0)
            return true;
    return false;
}

/* Returns what is wrong. A host that is named twice would be restarted
 * twice. */
const char *hosts_read(char *text, struct hosts *hosts)
{
    assert(text && hosts);
    hosts->count = 0;
    for (char *name; (name = strsep(&text, ","));) {
        if (!is_name(name))
            return "expected [USER@]HOST[,[USER@]HOST...]";
        if (is_named(hosts, name))
            return "a host is named twice";
        if (hosts->count == HOSTS_MAX)
            return "at most 64 hosts can be named";
        hosts->names[hosts->count++] = name;
    }
    return NULL;
}
