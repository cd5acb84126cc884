/*
 * The commands of a unit: what is run, as the manifest says it.
 */
#include "system/number.h"
#include "convert/systemd_settings.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct command {
    struct words words;
    bool may_fail;   /* - */
    bool privileged; /* + or ! */
    bool named;      /* @: the second word is argv[0] */
    bool literal;    /* : no variables are replaced */
};

/* Reads one command. Returns false where it cannot be read. */
static bool read_command(struct unit *unit, const struct setting *setting, const char *line,
                         struct command *command)
{
    *command = (struct command){};
    line += strspn(line, " ");
    for (; *line && strchr("-+!@:", *line); line++) {
        command->may_fail |= *line == '-';
        command->privileged |= *line == '+' || *line == '!';
        command->named |= *line == '@';
        command->literal |= *line == ':';
    }
    if (systemd_settings_words(unit, setting, line, &command->words) < 0)
        return false;
    if (command->words.count == 0) {
        systemd_settings_lose(unit, setting, "no program is named");
        return false;
    }
    if (command->named && command->words.count > 1) {
        systemd_settings_lose(unit, setting, "the program sees its own path as argv[0]");
        const char **items = command->words.items;
        memmove(&items[1], &items[2], (command->words.count - 2) * sizeof(*items));
        command->words.count--;
    }
    if (command->privileged && unit->user)
        systemd_settings_lose(unit, setting, "the command runs as the child's user");
    return true;
}

/* Where a word that is a semicolon begins, with the blank before it; NULL: there is none. */
static const char *separator(const char *line)
{
    char quote = '\0';

    for (; *line; line++) {
        if (*line == '\\' && line[1])
            line++;
        else if (quote)
            quote = *line == quote ? '\0' : quote;
        else if (*line == '"' || *line == '\'')
            quote = *line;
        else if (strncmp(line, " ; ", 3) == 0)
            return line;
    }
    return NULL;
}

/* The next of several commands on a line, which " ; " separates; NULL: there is no more. */
static const char *next_command(struct unit *unit, const char **line)
{
    const char *from = *line, *end = from ? separator(from) : NULL;

    if (!from)
        return NULL;
    *line = end ? end + 3 : NULL;
    return end ? conversion_copy(unit->conversion, from, (size_t)(end - from)) : from;
}

static bool has_variable(const struct command *command)
{
    for (size_t i = 0; !command->literal && i < command->words.count; i++)
        if (strchr(command->words.items[i], '$'))
            return true;
    return false;
}

/* ---- by a shell ------------------------------------------------------------------------------ */

static const char *shell_line(struct unit *unit, const struct command *command, bool last)
{
    struct conversion *c = unit->conversion;
    bool expands = false;
    const char *line;

    if (command->literal) {
        line = "";
        for (size_t i = 0; i < command->words.count; i++)
            line = conversion_format(c, "%s%s%s", line, i > 0 ? " " : "",
                                     words_quote(c, command->words.items[i]));
    } else
        line = words_to_shell(c, &command->words, &expands);
    if (command->may_fail && !last)
        line = conversion_format(c, "%s || :", line);
    return last ? conversion_format(c, "exec %s", line) : line;
}

static const char *append_line(struct unit *unit, const char *script, const char *line)
{
    return *script ? conversion_format(unit->conversion, "%s\n%s", script, line) : line;
}

/* The key of RuntimeDirectory= and its kin; NULL: there is none, it is below /etc. */
static const char *key_of(const char *setting)
{
    static const struct {
        const char *setting, *key;
    } keys[] = {{"RuntimeDirectory", "runtime_directory"},
                {"StateDirectory", "state_directory"},
                {"CacheDirectory", "cache_directory"},
                {"LogsDirectory", "logs_directory"}};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i].setting, setting) == 0)
            return keys[i].key;
    return NULL;
}

static const struct setting *mode_setting(const struct unit *unit, const struct setting *directory)
{
    const char *key = conversion_format(unit->conversion, "%sMode", directory->key);
    return source_setting(unit->settings, "Service", key);
}

static void put_mode(struct unit *unit, const struct setting *directory, const char *key)
{
    const struct setting *mode = mode_setting(unit, directory);
    uint64_t bits;

    if (!mode)
        return;
    if (number_read_octal(mode->value, 07777, &bits) < 0)
        systemd_settings_lose(unit, mode, "is not a mode");
    else if (bits > 0777 || (bits & 0700) != 0700)
        systemd_settings_lose(unit, mode, "the mode of a directory is from 0700 to 0777");
    else
        draft_set(unit->draft, conversion_format(unit->conversion, "%s_mode", key),
                  conversion_format(unit->conversion, "%04o", (unsigned)bits), NULL);
}

/* A command of a list: by itself, or by a shell that replaces its variables, or looks for it in the
 * path. first: what the shell does before. */
static void put_command(struct unit *unit, const char *path, const char *first,
                        const struct command *command)
{
    const struct words *words = &command->words;
    const char *const *items = (const char *const *)words->items;

    if (!has_variable(command) && items[0][0] == '/')
        draft_append_command(unit->draft, path, items, words->count, command->may_fail);
    else
        draft_append_command(
            unit->draft, path,
            (const char *[]){"/bin/sh", "-fec",
                             append_line(unit, first, shell_line(unit, command, true))},
            3, command->may_fail);
}

static void put_before(struct unit *unit, const char *const *words, size_t count, bool may_fail)
{
    draft_append_command(unit->draft, "before", words, count, may_fail);
}

/* By a command, where it is root; else it is said how. */
static void make_configuration(struct unit *unit, const struct setting *setting, const char *name)
{
    const struct setting *given = mode_setting(unit, setting);
    const char *mode = given ? given->value : "0755";
    const char *path = conversion_format(unit->conversion, "/etc/%s", name);

    if (unit->user && strcmp(unit->user->value, "root") != 0)
        systemd_settings_lose(unit, setting,
                              conversion_format(unit->conversion,
                                                "make the folder before: install -d -o %s -m %s %s",
                                                unit->user->value, mode, path));
    else
        put_before(unit, (const char *[]){"/bin/mkdir", "-p", "-m", mode, path}, 5, false);
}

static void put_directory(struct unit *unit, const struct setting *setting, const char *word)
{
    const char *key = key_of(setting->key);
    size_t length = strcspn(word, ":");
    bool link = word[length] != '\0';

    while (length > 1 && word[length - 1] == '/')
        length--;
    const char *name = conversion_format(unit->conversion, "%.*s", (int)length, word);
    if (link)
        systemd_settings_lose(unit, setting, "no symbolic link to a directory is made");
    if (!key) {
        make_configuration(unit, setting, name);
        return;
    }
    bool first = !draft_has(unit->draft, key);
    draft_append_once(unit->draft, key, name);
    if (first)
        put_mode(unit, setting, key);
    if (strcmp(key, "runtime_directory") == 0)
        draft_comment(unit->draft, key, "stays when the child stops");
}

static void make_directories(struct unit *unit)
{
    for (size_t i = 0; i < unit->runtime.count; i++) {
        const struct setting *setting = unit->runtime.items[i];
        struct words words;
        systemd_settings_words(unit, setting, setting->value, &words);
        for (size_t k = 0; k < words.count; k++)
            put_directory(unit, setting, words.items[k]);
    }
}

static bool says(const struct command *command, const char *what)
{
    for (size_t i = 0; !command->literal && i < command->words.count; i++)
        if (strstr(command->words.items[i], what))
            return true;
    return false;
}

/* What systemd calls what a command learns of the program. */
static const char *variables_of(struct unit *unit, const struct command *command)
{
    const char *script = "";

    if (says(command, "MAINPID"))
        script = append_line(unit, script, "MAINPID=$PROCTOR_MAIN_PID");
    if (says(command, "EXIT_STATUS"))
        script =
            append_line(unit, script, "EXIT_STATUS=${PROCTOR_EXIT_CODE:-$PROCTOR_EXIT_SIGNAL}");
    if (says(command, "SERVICE_RESULT"))
        script = append_line(unit, script, "SERVICE_RESULT=$PROCTOR_EXIT");
    return script;
}

void systemd_exec_list(struct unit *unit, const char *path, const struct setting *setting)
{
    assert(unit && path && setting);
    const char *line = setting->value, *one;
    struct command command;

    while ((one = next_command(unit, &line))) {
        if (!read_command(unit, setting, one, &command))
            continue;
        put_command(unit, path, variables_of(unit, &command), &command);
        if (says(&command, "SERVICE_RESULT"))
            draft_comment(unit->draft, path,
                          "SERVICE_RESULT has proctor's words: succeeded, failed, signaled, ...");
    }
}

static void convert_before(struct unit *unit)
{
    make_directories(unit);
    for (size_t i = 0; i < unit->start_pre.count; i++)
        systemd_exec_list(unit, "before", unit->start_pre.items[i]);
}

static void put_plain(struct unit *unit, const struct command *command)
{
    for (size_t i = 0; i < command->words.count; i++)
        draft_append(unit->draft, "exec", command->words.items[i]);
}

static void put_script(struct unit *unit, const char *script, bool several, bool variables)
{
    draft_append(unit->draft, "exec", "/bin/sh");
    draft_append(unit->draft, "exec", "-fec");
    draft_append(unit->draft, "exec", script);
    draft_comment(
        unit->draft, "exec",
        several && variables
            ? "a shell runs one command after the other and replaces variables (quotes in their "
              "values are not read), then becomes the last program"
        : several   ? "a shell runs one command after the other, then becomes the last program"
        : variables ? "a shell replaces the variables (quotes in their values are not read), then "
                      "becomes the program"
                    : "a shell looks for the program, then becomes it");
}

/* A program that systemd would look for in its path. */
static void warn_of_path(struct unit *unit, const struct command *command)
{
    if (command->words.items[0][0] != '/' && !strchr(command->words.items[0], '$'))
        systemd_settings_lose(unit, unit->start.items[0],
                              "write the absolute path of the program into exec");
}

void systemd_exec_convert(struct unit *unit)
{
    assert(unit && unit->draft);
    const char *script = "";
    bool several = false, variables = false, read = false;
    struct command command = {}, next;

    convert_before(unit);
    for (size_t i = 0; i < unit->start.count; i++) {
        const char *line = unit->start.items[i]->value, *one;
        while ((one = next_command(unit, &line))) {
            if (!read_command(unit, unit->start.items[i], one, &next))
                continue;
            if (read) { /* only a oneshot may have several */
                script = append_line(unit, script, shell_line(unit, &command, false));
                several = true;
            }
            command = next;
            read = true;
            variables |= has_variable(&command);
        }
    }
    if (read && command.may_fail)
        systemd_settings_lose(unit, unit->start.items[unit->start.count - 1],
                              "its failures count as failures");
    if (!read) {
        draft_remove(unit->draft, "before");
        draft_comment(unit->draft, "autostart", "no program is named: declared, but never started");
        draft_set(unit->draft, "autostart", "false", NULL);
        return;
    }
    if (!several && !variables && command.words.items[0][0] == '/') {
        put_plain(unit, &command);
        return;
    }
    warn_of_path(unit, &command);
    put_script(unit, append_line(unit, script, shell_line(unit, &command, true)), several,
               variables);
}

/* ---- signals --------------------------------------------------------------------------------- */

const char *systemd_exec_signal(struct unit *unit, const struct setting *setting)
{
    struct command command;
    const char *name = "SIGTERM";
    size_t i = 1;

    assert(unit && setting);
    const char *line = setting->value + strspn(setting->value, "-+!@:");
    command = (struct command){};
    if (words_split(unit->conversion, WORDS_SYSTEMD, line, &command.words) < 0 ||
        command.words.count < 2 || strcmp(source_base(command.words.items[0]), "kill") != 0)
        return NULL;
    const char *const *items = command.words.items;
    if (strcmp(items[i], "-s") == 0 && command.words.count > 3) {
        name = items[2];
        i = 3;
    } else if (items[i][0] == '-') {
        name = items[i] + 1;
        i = 2;
    }
    if (i + 1 != command.words.count ||
        (strcmp(items[i], "$MAINPID") != 0 && strcmp(items[i], "${MAINPID}") != 0))
        return NULL;
    if (isdigit((unsigned char)name[0]) || strncmp(name, "SIG", 3) == 0)
        return name;
    return conversion_format(unit->conversion, "SIG%s", name);
}
