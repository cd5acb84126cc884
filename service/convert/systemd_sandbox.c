/*
 * The sandbox of a unit: what of ProtectSystem= and its kin a sandbox of ours has a part for.
 */
#include "convert/systemd_settings.h"

#include <assert.h>
#include <string.h>

/* A value of ours for each of theirs; what is in none of the rows is lost. */
struct meaning {
    const char *theirs, *ours;
};

static void put(struct unit *unit, const struct setting *setting, const char *key,
                const struct meaning *meanings)
{
    if (!setting)
        return;
    for (; meanings->theirs; meanings++)
        if (strcmp(meanings->theirs, setting->value) == 0) {
            if (meanings->ours)
                draft_set(unit->draft, key, meanings->ours, NULL);
            return;
        }
    systemd_settings_lose(unit, setting, "is not known here");
}

static void put_private(struct unit *unit, const struct setting *setting, const char *key,
                        const char *value)
{
    if (systemd_settings_truth(setting, false) ||
        (setting && strcmp(setting->value, "disconnected") == 0))
        draft_set(unit->draft, key, value, NULL);
}

static void convert_system(struct unit *unit)
{
    static const struct meaning meanings[] = {{"strict", "read-only"},
                                              {"full", "etc-read-only"},
                                              {"yes", "usr-read-only"},
                                              {"true", "usr-read-only"},
                                              {"on", "usr-read-only"},
                                              {"1", "usr-read-only"},
                                              {"no", NULL},
                                              {"false", NULL},
                                              {"off", NULL},
                                              {"0", NULL},
                                              {"", NULL},
                                              {}};

    put(unit, unit->protect_system, "sandbox.system", meanings);
}

static void convert_home(struct unit *unit)
{
    static const struct meaning meanings[] = {
        {"yes", "none"}, {"true", "none"},  {"on", "none"},
        {"1", "none"},   {"tmpfs", "none"}, {"read-only", "read-only"},
        {"no", NULL},    {"false", NULL},   {"off", NULL},
        {"0", NULL},     {"", NULL},        {}};

    put(unit, unit->protect_home, "sandbox.home", meanings);
}

/* Only that set of calls; it implies that no privileges are gained. */
static void convert_calls(struct unit *unit)
{
    bool service = false;

    for (size_t i = 0; i < unit->calls.count; i++) {
        const struct setting *setting = unit->calls.items[i];
        if (strstr(setting->value, "@system-service") && setting->value[0] != '~')
            service = true;
        else
            systemd_settings_lose(unit, setting,
                                  service ? "`syscalls: service` has a list of its own"
                                          : "only @system-service has a counterpart");
    }
    if (!service)
        return;
    draft_set(unit->draft, "sandbox.syscalls", "service",
              "refuses what no service needs, instead of allowing a list");
    draft_remove(unit->draft, "no_new_privileges");
}

static void put_path(struct unit *unit, const struct setting *setting, const char *word,
                     const char *access)
{
    bool may_be_missing = strchr("-+", word[0]) && strchr(word, '-') == word;
    const char *path = word + strspn(word, "-+");
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    if (path[0] != '/' || length == 1) {
        systemd_settings_lose(unit, setting, "only absolute paths below / are taken");
        return;
    }
    draft_map(
        unit->draft, "sandbox.paths",
        conversion_format(unit->conversion, "%s%.*s", may_be_missing ? "-" : "", (int)length, path),
        access);
}

static void convert_paths(struct unit *unit, const struct setting_list *list, const char *access)
{
    for (size_t i = 0; i < list->count; i++) {
        struct words words;
        systemd_settings_words(unit, list->items[i], list->items[i]->value, &words);
        for (size_t k = 0; k < words.count; k++)
            put_path(unit, list->items[i], words.items[k], access);
    }
}

void systemd_sandbox_convert(struct unit *unit)
{
    assert(unit && unit->draft);
    convert_system(unit);
    convert_home(unit);
    put_private(unit, unit->private_tmp, "sandbox.tmp", "private");
    put_private(unit, unit->private_devices, "sandbox.devices", "private");
    put_private(unit, unit->private_network, "sandbox.network", "none");
    convert_calls(unit);
    convert_paths(unit, &unit->read_only, "read-only");
    convert_paths(unit, &unit->inaccessible, "none");
    if (draft_has(unit->draft, "sandbox.system")) /* else nothing has to be opened again */
        convert_paths(unit, &unit->read_write, "read-write");
}
