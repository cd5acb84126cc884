#include "host/sandbox.h"

#include "core/vocabulary/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PROCTOR_BWRAP
#define PROCTOR_BWRAP "/usr/bin/bwrap"
#endif

static const char *const homes[] = {"/home", "/root", "/run/user", NULL};
static const char *const temporary[] = {"/tmp", "/var/tmp", NULL};
static const char *const usr[] = {"/usr", "/boot", "/efi", NULL};
static const char *const etc[] = {"/etc", NULL};

struct words {
    char **list;
    size_t count, room;
    bool failed; /* no memory */
};

static void add(struct words *words, char kind, const char *text)
{
    if (words->count + 2 > words->room) {
        size_t room = 2 * words->room + 32;
        char **longer = realloc(words->list, room * sizeof(*longer));
        words->failed |= !longer;
        if (!longer)
            return;
        words->list = longer;
        words->room = room;
    }
    char *word = NULL;
    words->failed |= (kind ? asprintf(&word, "%c%s", kind, text) : asprintf(&word, "%s", text)) < 0;
    if (!words->failed)
        words->list[words->count++] = word;
    if (words->list)
        words->list[words->count] = NULL;
}

static bool is_special(const char *word)
{
    return strcmp(word, SANDBOX_REAL) == 0 || strcmp(word, SANDBOX_WAY) == 0;
}

static void put(struct words *words, const char *const *arguments)
{
    for (; *arguments; arguments++)
        add(words, is_special(*arguments) ? 0 : SANDBOX_WORD, *arguments);
}

#define PUT(words, ...) put(words, (const char *const[]){__VA_ARGS__, NULL})

/* Under a condition about a path. */
#define PUT_IF(words, condition, path, ...)                                                        \
    do {                                                                                           \
        add(words, condition, path);                                                               \
        PUT(words, __VA_ARGS__);                                                                   \
        add(words, 0, SANDBOX_END);                                                                \
    } while (0)

/* ---- the parts ------------------------------------------------------------------------------- */

static void make_read_only(struct words *words, const char *const *paths)
{
    for (; *paths; paths++)
        PUT_IF(words, SANDBOX_IF_ANY, *paths, "--ro-bind", "%", "%");
}

/* What is inside is put there before it is made read-only: seal(). */
static void make_empty(struct words *words, const char *path, const char *mode)
{
    PUT_IF(words, SANDBOX_IF_DIR, path, "--perms", mode, "--tmpfs", "%");
}

static void seal(struct words *words, const char *path)
{
    PUT_IF(words, SANDBOX_IF_DIR, path, "--remount-ro", "%");
}

static void put_system(struct words *words, const struct sandbox_spec *sandbox)
{
    enum sandbox_system system = sandbox->parts[SANDBOX_SYSTEM];

    if (system == SYSTEM_READ_ONLY) {
        PUT(words, "--ro-bind", "/", "/", "--bind", "/proc", "/proc", "--bind", "/sys", "/sys");
    } else {
        PUT(words, "--bind", "/", "/");
        if (system != SYSTEM_READ_WRITE)
            make_read_only(words, usr);
        if (system == SYSTEM_ETC_READ_ONLY)
            make_read_only(words, etc);
    }
}

/* journald's socket has its place in /dev, too. */
static void put_devices(struct words *words, const struct sandbox_spec *sandbox)
{
    if (sandbox->parts[SANDBOX_DEVICES] == DEVICES_ALL) {
        PUT(words, "--dev-bind", "/dev", "/dev");
        return;
    }
    PUT(words, "--dev", "/dev");
    PUT_IF(words, SANDBOX_IF_FILE, "/run/systemd/journal/dev-log", "--symlink", "%", "/dev/log");
}

static void put_homes(struct words *words, const struct sandbox_spec *sandbox)
{
    enum sandbox_home home = sandbox->parts[SANDBOX_HOME];

    if (home == HOME_READ_ONLY)
        make_read_only(words, homes);
    for (size_t i = 0; home == HOME_NONE && homes[i]; i++)
        make_empty(words, homes[i], "0755");
}

static void put_temporary(struct words *words, const struct sandbox_spec *sandbox)
{
    for (size_t i = 0; sandbox->parts[SANDBOX_TMP] == TMP_PRIVATE && temporary[i]; i++)
        make_empty(words, temporary[i], "1777");
}

static void put_path(struct words *words, char access, bool may_be_missing, const char *path)
{
    char condition = may_be_missing ? SANDBOX_IF_ANY : SANDBOX_MUST;

    if (access == SANDBOX_WRITE) {
        PUT_IF(words, condition, path, "^", "--bind", "%", "%");
    } else if (access == SANDBOX_READ) {
        PUT_IF(words, condition, path, "^", "--ro-bind", "%", "%");
    } else {
        add(words, condition, path);
        add(words, 0, SANDBOX_END);
        make_empty(words, path, "0755");
        PUT_IF(words, SANDBOX_IF_FILE, path, "--ro-bind", "/dev/null", "%");
    }
}

static void put_paths(struct words *words, const struct sandbox_spec *sandbox)
{
    for (size_t i = 0; sandbox->paths && sandbox->paths[i]; i++) {
        const char *text = sandbox->paths[i];
        bool may_be_missing = text[1] == '-';
        put_path(words, text[0], may_be_missing, text + 1 + may_be_missing);
    }
}

/* Its own directories, which are made before this. */
static void put_directories(struct words *words, const struct process_spec *spec,
                            char *const *bases)
{
    for (size_t kind = 0; bases && kind < DIRECTORY_KINDS; kind++) {
        const char **names = spec->directories[kind].names;
        for (size_t i = 0; names && names[i]; i++) {
            char *path = NULL;
            words->failed |= asprintf(&path, "%s/%s", bases[kind], names[i]) < 0;
            if (!words->failed)
                PUT_IF(words, SANDBOX_MUST, path, "^", "--bind", "%", "%");
            free(path);
        }
    }
}

/* The folder, as the next proctord has another socket there. */
static void put_notify(struct words *words, const char *socket)
{
    const char *slash = socket ? strrchr(socket, '/') : NULL;
    char *folder = slash && slash > socket ? strndup(socket, (size_t)(slash - socket)) : NULL;

    if (folder)
        PUT_IF(words, SANDBOX_IF_DIR, folder, "^", "--ro-bind", "%", "%");
    free(folder);
}

static void seal_all(struct words *words, const struct sandbox_spec *sandbox)
{
    for (size_t i = 0; sandbox->parts[SANDBOX_HOME] == HOME_NONE && homes[i]; i++)
        seal(words, homes[i]);
    for (size_t i = 0; sandbox->paths && sandbox->paths[i]; i++)
        if (sandbox->paths[i][0] == SANDBOX_HIDE)
            seal(words, sandbox->paths[i] + 1 + (sandbox->paths[i][1] == '-'));
}

/* ---- the whole ------------------------------------------------------------------------------- */

char **sandbox_words(const struct process_spec *spec, const struct sandbox_places *places)
{
    const struct sandbox_spec *sandbox = spec->sandbox;
    const char *instead = getenv("PROCTOR_BWRAP");
    struct words words = {};

    INVARIANT(sandbox && places);
    add(&words, 0, instead && instead[0] == '/' ? instead : PROCTOR_BWRAP);
    put_system(&words, sandbox);
    put_devices(&words, sandbox);
    put_homes(&words, sandbox);
    put_temporary(&words, sandbox);
    put_notify(&words, places->notify);
    put_paths(&words, sandbox);
    put_directories(&words, spec, places->bases);
    seal_all(&words, sandbox);
    if (sandbox->parts[SANDBOX_NETWORK] == NETWORK_NONE)
        PUT(&words, "--unshare-net");
    PUT(&words, "--die-with-parent");
    if (!words.failed)
        return words.list;
    sandbox_words_free(words.list);
    return NULL;
}

void sandbox_words_free(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}
