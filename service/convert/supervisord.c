/*
 * Configurations of supervisord. Each process of a program becomes a child, a
 * group becomes a supervisor, and expressions such as %(process_num)02d are
 * worked out.
 */
#include "convert/supervisord.h"

#include "convert/source.h"
#include "manifest/unit.h"
#include "convert/words.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A program, and which of its processes it is about. */
struct program {
    struct conversion *conversion;
    const struct setting *settings;
    const char *section, *name, *group;
    const char *here; /* the folder of the file */
    uint64_t number;
    struct draft *draft;
    bool first; /* what is lost is told once */
};

static const struct setting *get(const struct program *p, const char *key)
{
    return source_setting(p->settings, p->section, key);
}

static void lose(const struct program *p, const struct setting *setting, const char *why)
{
    if (p->first)
        conversion_lose(p->conversion, setting->place,
                        conversion_format(p->conversion, "%s=%s", setting->key, setting->value),
                        why);
}

/* ---- %(NAME)s -------------------------------------------------------------------------------- */

/* %(process_num)02d: the width of the number. */
static void put_number(FILE *out, const char *format, uint64_t number)
{
    int width = 0;

    for (; isdigit((unsigned char)*format) && width < 100; format++)
        width = width * 10 + (*format - '0');
    fprintf(out, "%0*" PRIu64, width < 20 ? width : 20, number);
}

/* The variables that supervisord knows in expressions. */
static bool put_variable(const struct program *p, FILE *out, const char *name, size_t length,
                         const char *format)
{
    const struct {
        const char *name, *text;
    } known[] = {{"program_name", p->name},
                 {"group_name", p->group ? p->group : p->name},
                 {"here", p->here}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i].name) == length && strncmp(known[i].name, name, length) == 0) {
            fputs(known[i].text, out);
            return true;
        }
    if (length == strlen("process_num") && strncmp(name, "process_num", length) == 0) {
        put_number(out, format, p->number);
        return true;
    }
    return false;
}

/* Puts what stands at a percent sign; returns how many characters it took. */
static size_t put_expression(const struct program *p, const struct setting *setting, FILE *out,
                             const char *at)
{
    const char *end = at[1] == '(' ? strchr(at, ')') : NULL;
    size_t format = end ? strspn(end + 1, "0123456789") : 0;

    if (at[1] == '%') {
        fputc('%', out);
        return 2;
    }
    if (end && end[1 + format] && put_variable(p, out, at + 2, (size_t)(end - at) - 2, end + 1))
        return (size_t)(end - at) + 2 + format;
    lose(p, setting, "an expression that has no value here");
    fputc('%', out);
    return 1;
}

/* The value with its expressions worked out. */
static const char *expand(const struct program *p, const struct setting *setting)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = strchr(setting->value, '%') ? open_memstream(&text, &size) : NULL;

    if (!strchr(setting->value, '%'))
        return setting->value;
    for (const char *at = setting->value; out && *at;)
        if (*at == '%')
            at += put_expression(p, setting, out, at);
        else
            fputc(*at++, out);
    if (!out || fclose(out) != 0) {
        p->conversion->no_memory = true;
        return "";
    }
    const char *copy = conversion_copy(p->conversion, text, size);
    free(text);
    return copy;
}

/* The words that supervisord takes for true. */
static bool truth(const struct setting *setting, bool missing)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};

    if (!setting || !*setting->value)
        return missing;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (strcasecmp(setting->value, yes[i]) == 0)
            return true;
    return false;
}

static uint64_t number(const struct program *p, const struct setting *setting, uint64_t most,
                       uint64_t missing)
{
    uint64_t value = missing;

    if (setting && *setting->value && unit_number(setting->value, most, &value) < 0) {
        lose(p, setting, "is no number that fits here");
        return missing;
    }
    return value;
}

static void set_number(const struct program *p, const char *path, uint64_t value, const char *unit,
                       const char *comment)
{
    draft_set(p->draft, path, conversion_format(p->conversion, "%" PRIu64 "%s", value, unit),
              comment);
}

/* ---- the keys -------------------------------------------------------------------------------- */

/* Programs without a path are found by env(1), since exec here takes no
 * other. */
static int take_command(struct program *p)
{
    const struct setting *command = get(p, "command");
    struct words words = {};

    if (!command || !*command->value)
        return conversion_refuse(p->conversion, p->draft->place, "[%s] has no command", p->section);
    if (words_split(p->conversion, WORDS_SHELL, expand(p, command), &words) < 0 || words.count == 0)
        return conversion_refuse(p->conversion, command->place, "a quote is not closed");
    if (words.items[0][0] != '/') {
        draft_append(p->draft, "exec", "/usr/bin/env");
        draft_comment(p->draft, "exec", "found in the PATH of the child");
    }
    for (size_t i = 0; i < words.count; i++)
        draft_append(p->draft, "exec", words.items[i]);
    return 0;
}

/* startsecs and startretries have no exact counterpart: the limit is written so
 * that it gives up in about the same cases, with a remark. */
static void take_restart(struct program *p)
{
    const struct setting *policy = get(p, "autorestart"), *retries = get(p, "startretries"),
                         *seconds = get(p, "startsecs"), *codes = get(p, "exitcodes");
    bool zero = false;

    if (policy && strcasecmp(policy->value, "unexpected") != 0) {
        if (truth(policy, true))
            draft_set(p->draft, "kind", "service", NULL);
        else
            draft_set(p->draft, "restart", "temporary", NULL);
    }
    if (!truth(get(p, "autostart"), true))
        draft_set(p->draft, "autostart", "false", NULL);
    if (!policy || strcasecmp(policy->value, "unexpected") == 0 || truth(policy, true)) {
        set_number(p, "restart_limit.burst", number(p, retries, 10000, 3), "",
                   "all failures within the interval count, not only those within startsecs");
        draft_set(p->draft, "restart_limit.interval", "15s", NULL);
        draft_set(p->draft, "backoff.initial", "1s", NULL);
        draft_clear(p->draft, "fatal_exit_codes");
    }
    if (seconds && number(p, seconds, 86400, 1) > 0)
        set_number(p, "backoff.reset_after", number(p, seconds, 86400, 1), "s",
                   "an earlier exit waits longer each time");
    const char *list = codes ? codes->value : "0";
    while (*list) {
        size_t n = strspn(list, "0123456789");
        const char *code = conversion_copy(p->conversion, list, n);
        zero |= strcmp(code, "0") == 0;
        if (n > 0 && strcmp(code, "0") != 0)
            draft_append(p->draft, "success_exit_codes", code);
        list += n + (list[n] != '\0');
    }
    if (!zero)
        lose(p, codes, "0 is a success, too");
}

/* Signal, time and whether the whole group is meant. */
static void take_stop(struct program *p)
{
    const struct setting *signal = get(p, "stopsignal"), *wait = get(p, "stopwaitsecs"),
                         *group = get(p, "stopasgroup");

    if (signal && *signal->value && strcasecmp(signal->value, "TERM") != 0)
        draft_set(p->draft, "stop.signal",
                  strncmp(signal->value, "SIG", 3) == 0 || isdigit((unsigned char)*signal->value)
                      ? signal->value
                      : conversion_format(p->conversion, "SIG%s", signal->value),
                  NULL);
    if (wait && number(p, wait, 86400, 10) == 0)
        draft_set(p->draft, "stop.timeout", "1ms", "killed at once");
    else if (wait)
        set_number(p, "stop.timeout", number(p, wait, 86400, 10), "s", NULL);
    if (group && !truth(group, false))
        draft_set(p->draft, "stop.kill_mode", "main", NULL);
}

/* Files are rotated here by the same sizes and numbers. */
static void take_output(struct program *p)
{
    const struct setting *file = get(p, "stdout_logfile"), *error = get(p, "stderr_logfile"),
                         *size = get(p, "stdout_logfile_maxbytes"),
                         *backups = get(p, "stdout_logfile_backups");
    const char *path = file ? expand(p, file) : "AUTO";

    if (strcasecmp(path, "NONE") == 0)
        draft_set(p->draft, "stdout", "null", NULL);
    else if (strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/fd/1") == 0 ||
             strcmp(path, "/dev/stderr") == 0)
        draft_set(p->draft, "stdout", "inherit", NULL);
    else if (*path == '/') {
        draft_set(p->draft, "stdout.file", path, NULL);
        if (size && strcmp(size->value, "0") == 0)
            lose(p, size, "a file is always rotated, at 10M without max_size");
        else
            draft_set(p->draft, "stdout.max_size",
                      size ? conversion_copy(p->conversion, size->value, strcspn(size->value, "Bb"))
                           : "50M",
                      NULL);
        set_number(p, "stdout.keep", number(p, backups, 100, 10), "", NULL);
    } else if (strcasecmp(path, "AUTO") != 0 && strcmp(path, "syslog") != 0)
        lose(p, file, "write the absolute path");
    if (error && !truth(get(p, "redirect_stderr"), false) &&
        strcasecmp(error->value, "AUTO") != 0 && strcmp(expand(p, error), path) != 0)
        lose(p, error, "standard error goes where standard output goes");
}

/* NAME="value",OTHER=value */
static void take_environment(struct program *p)
{
    const struct setting *setting = get(p, "environment");
    const char *at = setting ? expand(p, setting) : "";

    while (*at) {
        at += strspn(at, " \t\n,");
        size_t name = strcspn(at, "= \t\n");
        const char *value = at + name + (at[name] == '=');
        char quote = *value == '"' || *value == '\'' ? *value : '\0';
        value += quote != '\0';
        size_t length = 0;
        while (value[length] && (quote ? value[length] != quote : !strchr(",\n", value[length])))
            length++;
        if (name > 0 && at[name] == '=')
            draft_map(p->draft, "environment", conversion_copy(p->conversion, at, name),
                      conversion_copy(p->conversion, value, length));
        else if (*at) {
            lose(p, setting, "NAME=VALUE is expected");
            return;
        }
        at = value + length + (quote && value[length] == quote);
    }
}

/* What is carried over as it is, and what is lost, with the reason. */
static void take_rest(struct program *p)
{
    static const struct {
        const char *key, *path;
    } carried[] = {{"user", "user"}, {"directory", "working_directory"}, {"umask", "umask"}};
    static const struct {
        const char *key, *why;
    } lost[] = {{"priority", "say the order by `requires` or `after`"},
                {"serverurl", "nothing listens for it: use the bus"},
                {"stdout_events_enabled", "output is no event"},
                {"stderr_events_enabled", "output is no event"},
                {"stdout_capture_maxbytes", "output is no event"},
                {"stderr_capture_maxbytes", "output is no event"},
                {"stdout_syslog", "output goes to the journal"},
                {"stderr_syslog", "output goes to the journal"}};

    for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++)
        if (get(p, carried[i].key) && *get(p, carried[i].key)->value)
            draft_set(p->draft, carried[i].path, expand(p, get(p, carried[i].key)), NULL);
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
        if (get(p, lost[i].key))
            lose(p, get(p, lost[i].key), lost[i].why);
}

static const char *const known_keys[] = {"command",
                                         "process_name",
                                         "numprocs",
                                         "numprocs_start",
                                         "autorestart",
                                         "startretries",
                                         "startsecs",
                                         "exitcodes",
                                         "autostart",
                                         "stopsignal",
                                         "stopwaitsecs",
                                         "stopasgroup",
                                         "killasgroup",
                                         "stdout_logfile",
                                         "stderr_logfile",
                                         "stdout_logfile_maxbytes",
                                         "stdout_logfile_backups",
                                         "stderr_logfile_maxbytes",
                                         "stderr_logfile_backups",
                                         "redirect_stderr",
                                         "environment",
                                         "user",
                                         "directory",
                                         "umask",
                                         "priority",
                                         "serverurl",
                                         "stdout_events_enabled",
                                         "stderr_events_enabled",
                                         "stdout_capture_maxbytes",
                                         "stderr_capture_maxbytes",
                                         "stdout_syslog",
                                         "stderr_syslog"};

/* Every setting is either kept or listed; none is dropped in silence. */
static void tell_unknown(const struct program *p)
{
    for (const struct setting *s = p->settings; s; s = s->next) {
        bool known = strcmp(s->section, p->section) != 0;
        for (size_t i = 0; !known && i < sizeof(known_keys) / sizeof(known_keys[0]); i++)
            known = strcmp(s->key, known_keys[i]) == 0;
        if (!known)
            lose(p, s, "is not known here");
        else if (p->first && strcmp(s->section, p->section) == 0)
            p->conversion->n_kept++;
    }
}

/* ---- sections -------------------------------------------------------------------------------- */

/* The group that lists this program, or NULL. */
static const char *find_group(struct conversion *c, const struct setting *settings,
                              const char *program)
{
    for (const struct setting *s = settings; s; s = s->next) {
        const char *at = s->value;
        if (strncmp(s->section, "group:", 6) != 0 || strcmp(s->key, "programs") != 0)
            continue;
        while (*at) {
            at += strspn(at, " ,\t\n");
            size_t n = strcspn(at, " ,\t\n");
            if (n == strlen(program) && strncmp(at, program, n) == 0)
                return conversion_copy(c, s->section + 6, strlen(s->section + 6));
            at += n;
        }
    }
    return NULL;
}

/* One process of a program with several. */
static int take_process(struct program *p, struct place place, bool several)
{
    const struct setting *name = get(p, "process_name");
    const char *given = name ? expand(p, name) : p->name;

    if (several && !name)
        given = conversion_format(p->conversion, "%s_%02" PRIu64, p->name, p->number);
    p->draft = draft_new(p->conversion, place, given);
    if (!p->draft)
        return conversion_result(p->conversion);
    p->draft->supervisor = p->group;
    int r = take_command(p);
    if (r < 0)
        return r;
    take_restart(p);
    take_stop(p);
    take_environment(p);
    take_rest(p);
    take_output(p);
    return conversion_result(p->conversion);
}

/* Names and ports of several processes follow numprocs_start. */
static int take_program(struct conversion *c, const struct setting *settings,
                        const struct setting *first, const char *here)
{
    struct program p = {.conversion = c,
                        .settings = settings,
                        .section = first->section,
                        .name = first->section + strlen("program:"),
                        .here = here,
                        .first = true};
    int r = 0;

    p.group = find_group(c, settings, p.name);
    uint64_t count = number(&p, get(&p, "numprocs"), SUPERVISORD_NUMPROCS_MAX, 1);
    uint64_t start = number(&p, get(&p, "numprocs_start"), 1000000, 0);
    tell_unknown(&p);
    for (uint64_t i = 0; i < count && r == 0; i++) {
        p.number = start + i;
        r = take_process(&p, first->place, count > 1);
        p.first = false;
    }
    return r;
}

/* What [supervisord] says for all programs. */
static void tell_defaults(struct conversion *c, const struct setting *settings)
{
    static const char *const keys[] = {"user", "umask", "environment", "directory"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct setting *s = source_setting(settings, "supervisord", keys[i]);
        if (s && *s->value)
            conversion_lose(c, s->place, conversion_format(c, "%s=%s", s->key, s->value),
                            "of all programs: write it into each child, or into `defaults`");
    }
}

static bool begins_section(const struct setting *settings, const struct setting *setting)
{
    for (const struct setting *s = settings; s != setting; s = s->next)
        if (strcmp(s->section, setting->section) == 0)
            return false;
    return true;
}

/* Sections about supervisord itself have no counterpart. */
static int take_sections(struct conversion *c, const struct setting *settings, const char *here)
{
    static const char *const ignored[] = {"supervisord", "unix_http_server", "supervisorctl",
                                          "include"};
    int r = 0;

    tell_defaults(c, settings);
    for (const struct setting *s = settings; s && r == 0; s = s->next) {
        bool known =
            strncmp(s->section, "group:", 6) == 0 || strncmp(s->section, "rpcinterface:", 13) == 0;
        if (!begins_section(settings, s))
            continue;
        for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
            known |= strcmp(s->section, ignored[i]) == 0;
        if (strncmp(s->section, "program:", 8) == 0)
            r = take_program(c, settings, s, here);
        else if (!known)
            conversion_lose(c, s->place, conversion_format(c, "[%s]", s->section),
                            "a section of this kind has no counterpart");
    }
    return r;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int read_settings(struct conversion *c, const char *path, struct setting **settings)
{
    const char *text = NULL, *name = conversion_copy(c, path, strlen(path));
    int r = source_read(c, name, &text);

    return r < 0 ? r : source_settings(c, SETTINGS_SUPERVISORD, name, text, settings);
}

/* The files of [include], as patterns relative to the configuration. */
static int read_included(struct conversion *c, const char *here, struct setting **settings)
{
    const struct setting *files = source_setting(*settings, "include", "files");
    const char *at = files ? files->value : "";
    int r = 0;

    while (*at && r == 0) {
        at += strspn(at, " \t\n");
        size_t n = strcspn(at, " \t\n");
        const char *pattern = conversion_format(c, "%s%s%.*s", *at == '/' ? "" : here,
                                                *at == '/' ? "" : "/", (int)n, at);
        glob_t found = {};
        if (n > 0 && glob(pattern, 0, NULL, &found) == 0)
            for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
                r = read_settings(c, found.gl_pathv[i], settings);
        globfree(&found);
        at += n;
    }
    return r;
}

/* `here` in expressions is the folder of the configuration. */
int supervisord_convert(struct conversion *conversion, const char *path)
{
    struct setting *settings = NULL;
    char resolved[PATH_MAX];

    assert(conversion && path);
    if (!realpath(path, resolved))
        snprintf(resolved, sizeof(resolved), "/");
    resolved[strrchr(resolved, '/') - resolved + (strrchr(resolved, '/') == resolved)] = '\0';
    const char *here = conversion_copy(conversion, resolved, strlen(resolved));
    int r = read_settings(conversion, path, &settings);
    if (r == 0)
        r = read_included(conversion, here, &settings);
    return r < 0 ? r : take_sections(conversion, settings, here);
}
