/*
 * Output to people. Text from outside never reaches a terminal with control
 * characters in it: escape sequences could move the cursor, or change what was
 * typed.
 */
#include "ctl/terminal.h"

#include "core/vocabulary/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHARACTER_MAX 4 /* bytes of one in UTF-8 */

/* ---- texts ----------------------------------------------------------------------------------- */

/* The forms of C, which every reader knows. */
static void write_escaped(FILE *out, uint32_t code, bool is_character)
{
    if (code == '\n')
        fputs("\\n", out);
    else if (code == '\t')
        fputs("\\t", out);
    else if (code == '\r')
        fputs("\\r", out);
    else if (!is_character || code < 0x80)
        fprintf(out, "\\x%02" PRIx32, code);
    else
        fprintf(out, code > 0xFFFF ? "\\U%08" PRIx32 : "\\u%04" PRIx32, code);
}

/* Character by character; the class of each decides. */
static void write_text(FILE *out, const char *text, bool quoted)
{
    enum text_class class;
    uint32_t code;

    for (size_t length; *text; text += length) {
        length = text_next(text, &class, &code);
        if (class != TEXT_PLAIN) {
            write_escaped(out, code, length > 1);
            continue;
        }
        if (quoted && (*text == '"' || *text == '\\'))
            fputc('\\', out);
        fwrite(text, 1, length, out);
    }
}

void text_write(FILE *out, const char *text)
{
    write_text(out, text, false);
}

void text_write_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    write_text(out, text, true);
    fputc('"', out);
}

char *text_shown(const char *text)
{
    char *shown = NULL;
    size_t size;
    FILE *out = open_memstream(&shown, &size);

    if (!out)
        return strdup("");
    text_write(out, text);
    fclose(out);
    return shown;
}

/* ---- the guard ------------------------------------------------------------------------------- */

/* A stream to a terminal. */
struct guard {
    FILE *stream, *bare;
    int fd;
    bool trusted; /* what comes is ours */
    char rest[CHARACTER_MAX];
    size_t n_rest; /* the beginning of a character, the end of which has not come yet */
};

static struct guard guards[] = {{.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static size_t length_by_lead(unsigned char c)
{
    return c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;
}

/* What is at the end of data may continue in what comes next: so many bytes of it. */
static size_t unfinished(const char *data, size_t size)
{
    for (size_t n = 1; n < CHARACTER_MAX && n <= size; n++) {
        unsigned char c = (unsigned char)data[size - n];
        if ((c & 0xC0) != 0x80)
            return length_by_lead(c) > n ? n : 0;
    }
    return 0;
}

/* data is terminated; a zero in it is escaped as any other control character. */
static void write_lines(FILE *out, const char *data, size_t size)
{
    enum text_class class;
    uint32_t code;

    for (size_t at = 0, length; at < size; at += length) {
        length = text_next(data + at, &class, &code);
        if (class <= TEXT_BLANK)
            fwrite(data + at, 1, length, out);
        else
            write_escaped(out, code, length > 1);
    }
}

static int write_guarded(struct guard *guard, char *data, size_t size)
{
    char *lines = NULL;
    size_t length;
    FILE *out = open_memstream(&lines, &length);

    if (!out)
        return -1;
    write_lines(out, data, size);
    fclose(out);
    int r = write_all(guard->fd, lines, length);
    free(lines);
    return r;
}

static ssize_t guard_write(void *cookie, const char *data, size_t size)
{
    struct guard *guard = cookie;

    if (guard->trusted)
        return write_all(guard->fd, data, size) < 0 ? 0 : (ssize_t)size;
    size_t all = guard->n_rest + size;
    char *copy = malloc(all + 1);
    if (!copy)
        return 0;
    memcpy(copy, guard->rest, guard->n_rest);
    memcpy(copy + guard->n_rest, data, size);
    copy[all] = '\0';
    size_t keep = unfinished(copy, all);
    memcpy(guard->rest, copy + all - keep, keep);
    guard->n_rest = keep;
    copy[all - keep] = '\0';
    int r = write_guarded(guard, copy, all - keep);
    free(copy);
    return r < 0 ? 0 : (ssize_t)size;
}

static int guard_close(void *cookie)
{
    struct guard *guard = cookie;
    char rest[CHARACTER_MAX + 1] = "";

    memcpy(rest, guard->rest, guard->n_rest);
    return write_guarded(guard, rest, guard->n_rest);
}

static void put_before(struct guard *guard, FILE **stream)
{
    const cookie_io_functions_t functions = {.write = guard_write, .close = guard_close};

    if (!isatty(guard->fd))
        return;
    guard->bare = *stream;
    guard->stream = fopencookie(guard, "w", functions);
    if (!guard->stream)
        return;
    setvbuf(guard->stream, NULL, _IOLBF, BUFSIZ);
    *stream = guard->stream;
}

void terminal_guard(void)
{
    put_before(&guards[0], &stdout);
    put_before(&guards[1], &stderr);
}

static void release(struct guard *guard, FILE **stream)
{
    if (!guard->stream)
        return;
    fclose(guard->stream);
    guard->stream = NULL;
    *stream = guard->bare;
}

void terminal_release(void)
{
    release(&guards[0], &stdout);
    release(&guards[1], &stderr);
}

static struct guard *guard_of(FILE *out)
{
    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++)
        if (guards[i].stream && out == guards[i].stream)
            return &guards[i];
    return NULL;
}

void terminal_pass(FILE *out, const char *text, size_t size)
{
    struct guard *guard = guard_of(out);

    if (size == 0)
        return;
    if (guard) {
        fflush(out);
        guard->trusted = true;
    }
    fwrite(text, 1, size, out);
    if (guard) {
        fflush(out);
        guard->trusted = false;
    }
}

void terminal_paint(FILE *out, const char *sequence)
{
    terminal_pass(out, sequence, strlen(sequence));
}

bool terminal_failed(void)
{
    return fflush(stdout) != 0 || ferror(stdout);
}

int terminal_close(void)
{
    bool failed = ferror(stdout);

    errno = 0;
    if (fclose(stdout) == 0 && !failed)
        return 0;
    fprintf(stderr, "proctorctl: the output cannot be written%s%s\n", errno ? ": " : "",
            errno ? strerror(errno) : "");
    return -1;
}
