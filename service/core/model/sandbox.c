#include "core/model/sandbox.h"

#include "core/model/archive.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"

#define VALUES_MAX 4

const char *sandbox_part_name(enum sandbox_part part)
{
    static const char *const names[SANDBOX_PARTS] = {
        [SANDBOX_SYSTEM] = "system",   [SANDBOX_HOME] = "home",
        [SANDBOX_TMP] = "tmp",         [SANDBOX_DEVICES] = "devices",
        [SANDBOX_NETWORK] = "network", [SANDBOX_SYSCALLS] = "syscalls"};

    INVARIANT(part < SANDBOX_PARTS);
    return names[part];
}

const char *sandbox_value_name(enum sandbox_part part, unsigned value)
{
    static const char *const names[SANDBOX_PARTS][VALUES_MAX] = {
        [SANDBOX_SYSTEM] = {"read-write", "usr-read-only", "etc-read-only", "read-only"},
        [SANDBOX_HOME] = {"read-write", "read-only", "none"},
        [SANDBOX_TMP] = {"shared", "private"},
        [SANDBOX_DEVICES] = {"all", "private"},
        [SANDBOX_NETWORK] = {"host", "none"},
        [SANDBOX_SYSCALLS] = {"all", "service"}};

    INVARIANT(part < SANDBOX_PARTS);
    return value < VALUES_MAX ? names[part][value] : NULL;
}

bool sandbox_has_namespaces(const struct sandbox_spec *sandbox)
{
    if (!sandbox)
        return false;
    for (size_t i = 0; i < SANDBOX_PARTS; i++)
        if (i != SANDBOX_SYSCALLS && sandbox->parts[i] != 0)
            return true;
    return sandbox->paths && sandbox->paths[0];
}

bool sandbox_is_given(const struct sandbox_spec *sandbox)
{
    return sandbox &&
           (sandbox_has_namespaces(sandbox) || sandbox->parts[SANDBOX_SYSCALLS] != SYSCALLS_ALL);
}

/* ---- in words -------------------------------------------------------------------------------- */

static const char *access_name(char access)
{
    return access == SANDBOX_WRITE ? "read-write" : access == SANDBOX_READ ? "read-only" : "none";
}

static void append(struct text *text, const char *name, const char *value)
{
    text_append(text, text->length > 0 ? " " : "");
    text_append(text, name);
    text_append(text, "=");
    text_append(text, value);
}

void sandbox_describe(const struct sandbox_spec *sandbox, char text[SANDBOX_TEXT_MAX])
{
    struct text words = text_in(text, SANDBOX_TEXT_MAX);

    if (!sandbox)
        return;
    for (enum sandbox_part part = 0; part < SANDBOX_PARTS; part++)
        if (sandbox->parts[part] != 0)
            append(&words, sandbox_part_name(part), sandbox_value_name(part, sandbox->parts[part]));
    for (size_t i = 0; sandbox->paths && sandbox->paths[i]; i++)
        append(&words, sandbox->paths[i] + 1, access_name(sandbox->paths[i][0]));
    text_make_line(text);
}

/* ---- encoding -------------------------------------------------------------------------------- */

static bool path_is_sound(const char *path)
{
    const char *rest = path[0] ? path + 1 + (path[1] == '-') : path;

    return (path[0] == SANDBOX_WRITE || path[0] == SANDBOX_READ || path[0] == SANDBOX_HIDE) &&
           rest[0] == '/';
}

static void archive_parts(struct archive *a, struct sandbox_spec *sandbox)
{
    size_t n = 0;

    for (enum sandbox_part part = 0; part < SANDBOX_PARTS; part++) {
        uint8_t value = sandbox->parts[part];
        ARCHIVE_WORD(a, value, VALUES_MAX - 1);
        if (!sandbox_value_name(part, value))
            a->failed = true;
        if (a->reading) /* what is written may be a constant */
            sandbox->parts[part] = a->failed ? 0 : value;
    }
    archive_strings(a, &sandbox->paths);
    for (; !a->failed && sandbox->paths && sandbox->paths[n]; n++)
        if (n == SANDBOX_PATHS_MAX || !path_is_sound(sandbox->paths[n]))
            a->failed = true;
}

void sandbox_archive(struct archive *a, const struct sandbox_spec **sandbox)
{
    size_t there = *sandbox != NULL;

    INVARIANT(archive_is_sound(a));
    archive_count(a, &there, 1);
    struct sandbox_spec *fresh = (struct sandbox_spec *)(uintptr_t)*sandbox;
    if (a->reading)
        fresh = there && !a->failed ? a->allocate(a, sizeof(*fresh)) : NULL;
    if (there && !fresh)
        a->failed = true;
    if (there && fresh)
        archive_parts(a, fresh);
    if (a->reading)
        *sandbox = a->failed ? NULL : fresh;
}
