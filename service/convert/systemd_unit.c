#include "convert/systemd_unit.h"

#include "convert/systemd_settings.h"
#include "core/calendar/timetable.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const other_units[] = {".target", ".mount", ".automount", ".path",
                                          ".slice",  ".swap",  ".device",    ".scope"};

static bool is_other(const char *path)
{
    size_t length;

    for (size_t i = 0; i < sizeof(other_units) / sizeof(other_units[0]); i++)
        if (source_ends(path, other_units[i], &length))
            return true;
    return false;
}

bool systemd_unit_is(const char *path)
{
    size_t length;

    assert(path);
    return source_ends(path, ".service", &length) || source_ends(path, ".socket", &length) ||
           source_ends(path, ".timer", &length) || is_other(path);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_settings(struct unit *unit, const char *path)
{
    const char *text = NULL, *name = conversion_copy(unit->conversion, path, strlen(path));
    int r = source_read(unit->conversion, name, &text);

    return r < 0 ? r
                 : source_settings(unit->conversion, SETTINGS_UNIT, name, text, &unit->settings);
}

static int read_folder(struct unit *unit, const char *folder)
{
    const char *pattern = conversion_format(unit->conversion, "%s/*.conf", folder);
    glob_t found = {};
    int r = 0;

    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
            r = read_settings(unit, found.gl_pathv[i]);
    globfree(&found);
    return r;
}

/* The drop-ins beside it: of the template, then its own. */
static int read_drop_ins(struct unit *unit)
{
    const char *name = source_base(unit->file), *at = strchr(name, '@'), *dot = strrchr(name, '.');
    int r = 0;

    if (at && dot > at + 1)
        r = read_folder(unit, conversion_format(unit->conversion, "%.*s@%s.d",
                                                (int)(at - unit->file), unit->file, dot));
    return r < 0 ? r : read_folder(unit, conversion_format(unit->conversion, "%s.d", unit->file));
}

static int digit_of(char c)
{
    const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* systemd-escape(1): - was a slash, \\xHH any other byte. */
static const char *undo_escapes(struct conversion *c, const char *name)
{
    char *plain = (char *)(uintptr_t)conversion_copy(c, name, strlen(name));
    size_t n = 0;

    for (size_t i = 0; name[i]; i++) {
        bool escaped = strncmp(name + i, "\\x", 2) == 0 && digit_of(name[i + 2]) >= 0 &&
                       digit_of(name[i + 3]) >= 0;
        plain[n] = name[i] == '-' ? '/' : name[i];
        if (escaped)
            plain[n] = (char)(digit_of(name[i + 2]) * 16 + digit_of(name[i + 3]));
        i += escaped ? 3 : 0;
        n++;
    }
    if (*name)
        plain[n] = '\0';
    return plain;
}

static void set_names(struct unit *unit)
{
    struct conversion *c = unit->conversion;
    const char *name = source_base(unit->file), *dot = strrchr(name, '.'), *at = strchr(name, '@');
    const struct setting *instance = source_setting(unit->settings, "Install", "DefaultInstance");

    unit->name = name;
    unit->prefix = conversion_copy(c, name, (size_t)((at ? at : dot) - name));
    unit->instance = at ? conversion_copy(c, at + 1, (size_t)(dot - at) - 1) : "";
    if (at && !*unit->instance && instance)
        unit->instance = instance->value;
    unit->template = at && !*unit->instance;
    unit->plain_instance = undo_escapes(c, unit->instance);
    if (at && !unit->template)
        unit->name = conversion_format(c, "%s@%s%s", unit->prefix, unit->instance, dot);
}

/* ---- a service ------------------------------------------------------------------------------- */

static int convert_service(struct unit *unit)
{
    struct conversion *c = unit->conversion;
    const char *dot = strrchr(unit->name, '.');
    const char *name = conversion_copy(c, unit->name, (size_t)(dot - unit->name));

    unit->draft = draft_new(c, (struct place){unit->file, 0}, name);
    if (!unit->draft)
        return conversion_result(c);
    unit->draft->given_name = unit->name;
    if (unit->description)
        draft_describe(unit->draft, systemd_settings_value(unit, unit->description));
    systemd_service_convert(unit);
    if (unit->template) {
        draft_set(unit->draft, "autostart", "false",
                  "a template: copy it for each instance, replace %i, and remove this line");
        conversion_lose(c, (struct place){unit->file, 0}, NULL,
                        "a template without an instance: %i stands as it is");
    }
    return conversion_result(c);
}

/* ---- sockets and timers ---------------------------------------------------------------------- */

static struct draft *served(struct unit *unit)
{
    const char *name = systemd_settings_value(unit, unit->service);

    if (!name)
        name = conversion_format(unit->conversion, "%.*s.service",
                                 (int)(strrchr(unit->name, '.') - unit->name), unit->name);
    return draft_find(unit->conversion, name);
}

/* number: from 0; here each socket has a name of its own. */
static void add_socket(struct unit *unit, struct draft *draft, const struct setting *setting,
                       const char *type, size_t number)
{
    const char *listen = systemd_settings_expand(unit, setting, setting->value);
    const char *name = unit->fd_name ? unit->fd_name->value : unit->name;
    if (number > 0)
        name = conversion_format(unit->conversion, "%s-%zu", name, number + 1);
    const char *mode = *listen == '/' && unit->mode ? unit->mode->value : NULL;

    if (strncmp(listen, "vsock:", 6) == 0) {
        systemd_settings_lose(unit, setting, "no vsock is opened");
        return;
    }
    const char *const pairs[] = {"name", name, "listen", listen, "type", type, "mode", mode};
    draft_append_pairs(draft, "sockets", pairs, 4);
}

static void finish_socket(struct unit *unit)
{
    struct draft *draft = served(unit);

    if (unit->accept && systemd_settings_truth(unit->accept, false)) {
        systemd_settings_lose(unit, unit->accept,
                              "no child is started for a connection: the service has to accept");
        return;
    }
    if (!draft) {
        conversion_lose(unit->conversion, (struct place){unit->file, 0}, NULL,
                        "its service is not among the files");
        return;
    }
    for (size_t i = 0; i < unit->streams.count; i++)
        add_socket(unit, draft, unit->streams.items[i], NULL, i);
    for (size_t i = 0; i < unit->datagrams.count; i++)
        add_socket(unit, draft, unit->datagrams.items[i], "datagram", unit->streams.count + i);
    if (unit->streams.count + unit->datagrams.count > 0)
        draft_comment(draft, "sockets",
                      "opened at the first start; the child is started with the tree, not by the "
                      "first connection");
    if (unit->streams.count + unit->datagrams.count > 1)
        draft_comment(draft, "sockets", "each has a name of its own in LISTEN_FDNAMES");
}

/* "UTC" and "Europe/Berlin" at the end of an expression, where no weekday, date or time is. */
static const char *zone_of(const char *value)
{
    const char *last = strrchr(value, ' ');

    if (!last || last[1] < 'A' || (!strchr(last, '/') && strcasecmp(last + 1, "UTC") != 0))
        return NULL;
    return last + 1;
}

/* One time zone is for all expressions of a child; *zone is that of those before. */
static void add_calendar(struct unit *unit, struct draft *draft, const struct setting *setting,
                         const char **zone)
{
    struct timetable timetable;
    const char *value = systemd_settings_expand(unit, setting, setting->value);
    const char *own = zone_of(value);
    const char *text =
        own ? conversion_copy(unit->conversion, value, (size_t)(own - value - 1)) : value;
    const char *wrong = timetable_read(text, &timetable);

    if (wrong) {
        systemd_settings_lose(unit, setting, wrong);
    } else if (draft_has(draft, "schedule") && strcmp(own ? own : "", *zone ? *zone : "") != 0) {
        systemd_settings_lose(unit, setting, "a child has one time zone for all its times");
    } else {
        *zone = own;
        draft_append(draft, "schedule.at", text);
    }
}

static void add_schedule(struct unit *unit, struct draft *draft)
{
    const char *zone = NULL, *delay = NULL;
    uint64_t usec;

    for (size_t i = 0; i < unit->calendars.count; i++)
        add_calendar(unit, draft, unit->calendars.items[i], &zone);
    if (!draft_has(draft, "schedule"))
        return;
    draft_set(draft, "kind", "job", NULL);
    draft_remove(draft, "autostart");
    if (zone)
        draft_set(draft, "schedule.time_zone", zone, NULL);
    if (unit->random_delay)
        delay = systemd_settings_span(unit, unit->random_delay, &usec);
    if (delay && strcmp(delay, "0") != 0)
        draft_set(draft, "schedule.random_delay", delay, NULL);
    if (unit->persistent && systemd_settings_truth(unit->persistent, false))
        draft_set(draft, "schedule.persistent", "true", NULL);
}

/* What is always restarted never ends, so that its timer starts it once. */
static bool can_be_run(const struct draft *draft)
{
    return !draft_is(draft, "kind", "service") && !draft_is(draft, "restart", "permanent");
}

static void finish_timer(struct unit *unit)
{
    struct draft *draft = served(unit);
    bool runs = draft && can_be_run(draft);

    for (size_t i = 0; i < unit->elapses.count; i++)
        systemd_settings_lose(unit, unit->elapses.items[i], "only the calendar starts a child");
    for (size_t i = 0; !runs && i < unit->calendars.count; i++)
        systemd_settings_lose(unit, unit->calendars.items[i],
                              draft ? "a child that is always restarted has no schedule"
                                    : "its service is not among the files");
    if (runs)
        add_schedule(unit, draft);
    if (draft && !draft_has(draft, "schedule"))
        draft_set(draft, "autostart", "false", "its timer starts it");
}

/* ---- dependencies ---------------------------------------------------------------------------- */

enum relation { RELATION_AFTER, RELATION_BEFORE, RELATION_REQUIRES };

/* Whether a unit of this name, or its template, is among the files. */
static bool is_given(const struct conversion *conversion, const char *name)
{
    const char *at = strchr(name, '@');

    for (const struct unit *unit = conversion->units; unit; unit = unit->next)
        if (strcmp(source_base(unit->file), name) == 0 ||
            (at && strncmp(source_base(unit->file), name, (size_t)(at - name) + 1) == 0 &&
             source_base(unit->file)[at - name + 1] == '.'))
            return true;
    return false;
}

static void relate(struct unit *unit, const struct setting *setting, const char *name,
                   enum relation relation)
{
    struct draft *other = draft_find(unit->conversion, name);
    size_t length;

    if (other == unit->draft || source_ends(name, ".target", &length))
        return; /* targets are reached before proctord is started */
    if (!other) {
        if (relation != RELATION_BEFORE && !is_given(unit->conversion, name))
            conversion_lose(unit->conversion, setting->place,
                            conversion_format(unit->conversion, "%s=%s", setting->key, name),
                            "is not among the files; start proctord after it");
    } else if (relation == RELATION_REQUIRES)
        draft_append_once(unit->draft, "requires", other->name);
    else if (relation == RELATION_AFTER)
        draft_append_once(unit->draft, "after", other->name);
    else
        draft_append_once(other, "after", unit->draft->name);
}

static void relate_all(struct unit *unit, const struct setting_list *list, enum relation relation)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct setting *setting = list->items[i];
        struct words words;
        systemd_settings_words(unit, setting, setting->value, &words);
        for (size_t k = 0; k < words.count; k++)
            relate(unit, setting, words.items[k], relation);
    }
}

/* proctord stops its children when it is stopped at the shutdown: those targets need nothing. */
static void lose_conflicts(struct unit *unit)
{
    for (size_t i = 0; i < unit->conflicts.count; i++) {
        const struct setting *setting = unit->conflicts.items[i];
        struct words words;
        size_t length;
        systemd_settings_words(unit, setting, setting->value, &words);
        for (size_t k = 0; k < words.count; k++)
            if (!source_ends(words.items[k], ".target", &length))
                conversion_lose(unit->conversion, setting->place,
                                conversion_format(unit->conversion, "Conflicts=%s", words.items[k]),
                                "children do not exclude each other");
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int convert(struct unit *unit)
{
    size_t length;
    int r = read_settings(unit, unit->file);

    if (r == 0)
        r = read_drop_ins(unit);
    if (r < 0)
        return r;
    set_names(unit);
    const char *kind = source_ends(unit->name, ".service", &length)  ? "Service"
                       : source_ends(unit->name, ".socket", &length) ? "Socket"
                                                                     : "Timer";
    r = systemd_settings_sort(unit, kind);
    return r < 0 || strcmp(kind, "Service") != 0 ? r : convert_service(unit);
}

/* A link to /dev/null: systemd does not start it. */
static bool is_masked(const char *path)
{
    char target[PATH_MAX];
    return realpath(path, target) && strcmp(target, "/dev/null") == 0;
}

/* A link to a file that has been converted; an instance is a unit of its own. */
static bool is_alias(const struct conversion *conversion, const char *path)
{
    char one[PATH_MAX], other[PATH_MAX];

    if (strchr(source_base(path), '@') || !realpath(path, one))
        return false;
    for (const struct unit *unit = conversion->units; unit; unit = unit->next)
        if (realpath(unit->file, other) && strcmp(one, other) == 0)
            return true;
    return false;
}

int systemd_unit_convert(struct conversion *conversion, const char *path)
{
    assert(conversion && path);
    if (is_masked(path)) {
        conversion_lose(conversion, (struct place){path, 0}, NULL, "is masked");
        return conversion_result(conversion);
    }
    if (is_other(path)) {
        conversion_lose(conversion, (struct place){path, 0}, NULL,
                        "units of this type have no counterpart");
        return conversion_result(conversion);
    }
    if (is_alias(conversion, path)) {
        conversion_lose(conversion, (struct place){path, 0}, NULL,
                        "is another name of a unit that was given");
        return conversion_result(conversion);
    }
    struct unit **end = &conversion->units,
                *unit = arena_allocate(&conversion->arena, sizeof(*unit));
    if (!unit)
        return -ENOMEM;
    *unit = (struct unit){.conversion = conversion, .file = path, .name = source_base(path)};
    while (*end)
        end = &(*end)->next;
    *end = unit;
    return convert(unit);
}

/* Sockets= of units that were not given. */
static void tell_sockets(struct unit *unit)
{
    for (size_t i = 0; i < unit->sockets.count; i++) {
        struct words words;
        systemd_settings_words(unit, unit->sockets.items[i], unit->sockets.items[i]->value, &words);
        for (size_t k = 0; k < words.count; k++)
            if (!is_given(unit->conversion, words.items[k]))
                systemd_settings_lose(unit, unit->sockets.items[i],
                                      "give the socket units to convert, too");
    }
}

int systemd_unit_finish(struct conversion *conversion)
{
    size_t length;

    assert(conversion);
    for (struct unit *unit = conversion->units; unit; unit = unit->next) {
        if (source_ends(unit->name, ".socket", &length))
            finish_socket(unit);
        else if (source_ends(unit->name, ".timer", &length))
            finish_timer(unit);
        if (!unit->draft)
            continue;
        tell_sockets(unit);
        relate_all(unit, &unit->requires, RELATION_REQUIRES);
        relate_all(unit, &unit->after, RELATION_AFTER);
        relate_all(unit, &unit->before, RELATION_BEFORE);
        lose_conflicts(unit);
    }
    return conversion_result(conversion);
}
