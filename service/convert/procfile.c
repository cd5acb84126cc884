/*
 * Procfiles, as foreman and Heroku read them: a name and a command of the shell
 * on each line. Each process gets a port of its own by the rule of foreman.
 */
#include "convert/procfile.h"

#include "convert/source.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether a shell may replace itself by the command: it is one command. */
static bool is_simple(const char *command)
{
    return !strpbrk(command, ";&|<>()`\n{}") && strncmp(command, "exec ", 5) != 0 &&
           !strchr(command, '=') && strncmp(command, "cd ", 3) != 0;
}

static size_t name_length(const char *line, size_t length)
{
    size_t n = 0;

    while (n < length && (isalnum((unsigned char)line[n]) || line[n] == '_' || line[n] == '-'))
        n++;
    return n < length && line[n] == ':' ? n : 0;
}

/* One process. A command without special characters is executed by the shell,
 * so that signals reach the program itself. */
static int take_line(struct conversion *c, struct place place, const char *folder, const char *line,
                     size_t length, size_t number)
{
    size_t n = name_length(line, length);

    if (n == 0)
        return conversion_refuse(c, place, "NAME: COMMAND is expected");
    const char *command = conversion_copy(c, line + n + 1, length - n - 1);
    command += strspn(command, " \t");
    if (!*command)
        return conversion_refuse(c, place, "no command is given");
    struct draft *draft = draft_new(c, place, conversion_copy(c, line, n));
    if (!draft)
        return conversion_result(c);
    c->n_kept++;
    draft_append(draft, "exec", "/bin/sh");
    draft_append(draft, "exec", "-c");
    draft_append(draft, "exec",
                 is_simple(command) ? conversion_format(c, "exec %s", command) : command);
    draft_map(draft, "environment", "PORT", conversion_format(c, "%zu", 5000 + 100 * number));
    const char *file = conversion_format(c, "%s/.env", folder);
    if (access(file, F_OK) == 0)
        draft_set(draft, "environment_file", file, NULL);
    draft_set(draft, "working_directory", folder, NULL);
    return conversion_result(c);
}

/* The folder of a file, as an absolute path. */
static const char *folder_of(struct conversion *c, const char *path)
{
    char resolved[PATH_MAX];

    if (!realpath(path, resolved))
        return "/";
    char *slash = strrchr(resolved, '/');
    slash[slash == resolved] = '\0';
    return conversion_copy(c, resolved, strlen(resolved));
}

/* Line by line, with the number of the line for messages. */
int procfile_convert(struct conversion *conversion, const char *path)
{
    struct place place = {path, 0};
    const char *text = NULL;
    size_t number = 0;

    assert(conversion && path);
    int r = source_read(conversion, path, &text);
    const char *folder = r < 0 ? "/" : folder_of(conversion, path);
    while (r == 0 && *text) {
        size_t length = strcspn(text, "\r\n"), blank = strspn(text, " \t");
        place.line++;
        if (blank < length && text[blank] != '#')
            r = take_line(conversion, place, folder, text + blank, length - blank, number++);
        text += length + (text[length] == '\r');
        text += *text == '\n';
    }
    return r;
}
