/*
 * Reading files of other programs: whole texts, and settings in sections
 * (systemd, supervisord), which differ in comments and continued lines.
 */
#include "convert/source.h"

#include "core/vocabulary/text.h"
#include "system/open_regular.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

const char *source_base(const char *path)
{
    assert(path);
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool source_ends(const char *text, const char *end, size_t *length)
{
    assert(text && end && length);
    size_t n = strlen(text), m = strlen(end);

    *length = n >= m ? n - m : 0;
    return n >= m && strcmp(text + n - m, end) == 0;
}

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;

    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* The first place that is no text; NULL: all of it is. */
static const char *find_invalid(const char *text, size_t length)
{
    const char *at = text;

    while (at < text + length) {
        enum text_class class;
        uint32_t code;
        if (!*at)
            return at;
        size_t n = text_next(at, &class, &code);
        if (class == TEXT_INVALID)
            return at;
        at += n;
    }
    return NULL;
}

/* Refuses what is too large, or no UTF-8. A byte order mark at the beginning is
 * left out. */
int source_read(struct conversion *conversion, const char *path, const char **text)
{
    assert(conversion && path && text);
    struct place place = {.file = path};
    size_t length = 0;
    char *read = NULL;
    int r = read_regular(AT_FDCWD, path, SOURCE_MAX, &read, &length);

    if (r == -EFBIG)
        return conversion_refuse(conversion, place, "is larger than %d KiB", SOURCE_MAX / 1024);
    if (r < 0)
        return conversion_refuse(conversion, place, "%s", open_regular_explain(AT_FDCWD, path, r));
    const char *invalid = find_invalid(read, length);
    if (invalid)
        place.line = line_of(read, invalid);
    else
        *text = conversion_copy(conversion, strncmp(read, "\xef\xbb\xbf", 3) ? read : read + 3,
                                strncmp(read, "\xef\xbb\xbf", 3) ? length : length - 3);
    free(read);
    return invalid ? conversion_refuse(conversion, place, "is not UTF-8 text")
                   : conversion_result(conversion);
}

/* ---- settings -------------------------------------------------------------------------------- */

struct reading {
    struct conversion *conversion;
    enum settings_dialect dialect;
    const char *file;
    size_t line;
    const char *section;
    struct setting *last;  /* that an indented line continues */
    struct setting **list; /* where the next one goes */
};

/* Without blanks at both ends. */
static const char *trimmed(struct conversion *conversion, const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    return conversion_copy(conversion, text, length);
}

/* Where a comment begins in a line of supervisord.conf. */
static size_t comment_at(const char *text, size_t length)
{
    for (size_t i = 1; i < length; i++)
        if (text[i] == ';' && isspace((unsigned char)text[i - 1]))
            return i;
    return length;
}

/* The name between the brackets. */
static int take_section(struct reading *r, const char *line, size_t length)
{
    const char *end = memchr(line, ']', length);

    if (!end)
        return conversion_refuse(r->conversion, (struct place){r->file, r->line},
                                 "a section without its closing bracket");
    r->section = conversion_copy(r->conversion, line + 1, (size_t)(end - line) - 1);
    r->last = NULL;
    return 0;
}

/* KEY=VALUE. What systemd ignores with a warning is listed as lost, and is no
 * error. */
static int take_setting(struct reading *r, const char *line, size_t length)
{
    struct conversion *c = r->conversion;
    const char *equals = memchr(line, '=', length);

    if (!equals && r->dialect == SETTINGS_SUPERVISORD)
        equals = memchr(line, ':', length);
    if (!equals && r->dialect == SETTINGS_UNIT) { /* systemd drops it with a warning, too */
        conversion_lose(c, (struct place){r->file, r->line}, trimmed(c, line, length),
                        "KEY=VALUE is expected");
        return 0;
    }
    if (!equals)
        return conversion_refuse(c, (struct place){r->file, r->line}, "KEY=VALUE is expected");
    struct setting *setting = arena_allocate(&c->arena, sizeof(*setting));
    if (!setting)
        return -ENOMEM;
    *setting = (struct setting){
        .section = r->section,
        .key = trimmed(c, line, (size_t)(equals - line)),
        .value = trimmed(c, equals + 1, length - (size_t)(equals - line) - 1),
        .place = {r->file, r->line},
    };
    *r->list = setting;
    r->list = &setting->next;
    r->last = setting;
    return 0;
}

/* One line, without comments. In supervisord an indented line continues the
 * value before. */
static int take_line(struct reading *r, const char *line, size_t length)
{
    bool indented = length > 0 && isspace((unsigned char)line[0]);

    if (r->dialect == SETTINGS_SUPERVISORD)
        length = comment_at(line, length);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    while (length > 0 && isspace((unsigned char)*line)) {
        line++;
        length--;
    }
    if (length == 0 || *line == '#' || *line == ';')
        return 0;
    if (*line == '[')
        return take_section(r, line, length);
    if (r->dialect == SETTINGS_SUPERVISORD && indented && r->last) {
        r->last->value =
            trimmed(r->conversion,
                    conversion_format(r->conversion, "%s\n%.*s", r->last->value, (int)length, line),
                    strlen(r->last->value) + 1 + length);
        return 0;
    }
    return take_setting(r, line, length);
}

static bool is_comment(const char *line)
{
    line += strspn(line, " \t");
    return *line == '#' || *line == ';';
}

/* Joins the lines that a backslash continues, without the comments among them; *end: behind them.
 * Returns how many lines they are; *joined is NULL without memory. */
static size_t join(const char *from, const char **end, char **joined)
{
    size_t lines = 0, size = 0;
    FILE *out = open_memstream(joined, &size);
    bool more = out != NULL;

    while (more && *from) {
        size_t n = strcspn(from, "\n");
        bool skip = lines > 0 && is_comment(from);
        more = skip || (n > 0 && from[n - 1] == '\\');
        if (!skip)
            fprintf(out, "%.*s%s", (int)(more ? n - 1 : n), from, more ? " " : "");
        lines++;
        from += n + (from[n] == '\n');
    }
    if (out && fclose(out) != 0)
        *joined = NULL;
    *end = from;
    return lines;
}

/* Appends to the list, so that several files can be read into one. */
int source_settings(struct conversion *conversion, enum settings_dialect dialect, const char *file,
                    const char *text, struct setting **list)
{
    struct reading reading = {conversion, dialect, file, 1, "", NULL, list};
    int r = 0;

    assert(conversion && file && text && list);
    while (*reading.list)
        reading.list = &(*reading.list)->next;
    while (r == 0 && *text) {
        const char *end = text + strcspn(text, "\n");
        char *joined = NULL;
        size_t lines = 1;
        if (dialect == SETTINGS_UNIT && end > text && end[-1] == '\\' && !is_comment(text)) {
            lines = join(text, &end, &joined);
            r = joined ? take_line(&reading, joined, strlen(joined)) : -ENOMEM;
            free(joined);
        } else {
            r = take_line(&reading, text, (size_t)(end - text));
            end += *end == '\n';
        }
        reading.line += lines;
        text = end;
    }
    return r < 0 ? r : conversion_result(conversion);
}

/* The last one counts, as in these programs. */
const struct setting *source_setting(const struct setting *list, const char *section,
                                     const char *key)
{
    const struct setting *found = NULL;

    assert(section && key);
    for (; list; list = list->next)
        if (strcmp(list->section, section) == 0 && strcmp(list->key, key) == 0)
            found = list;
    return found;
}
