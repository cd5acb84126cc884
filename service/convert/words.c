#include "convert/words.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool words_add(struct conversion *conversion, struct words *words, const char *word)
{
    assert(conversion && words && word);
    const char **items =
        arena_allocate(&conversion->arena, (words->count + 1) * sizeof(*words->items));

    if (!items) {
        conversion->no_memory = true;
        return false;
    }
    if (words->count > 0)
        memcpy(items, words->items, words->count * sizeof(*items));
    items[words->count++] = word;
    words->items = items;
    return true;
}

/* ---- splitting ------------------------------------------------------------------------------- */

static int hexadecimal(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A C escape behind its backslash. Returns how many characters it has; 0: none that systemd knows.
 */
static size_t unescape(const char *text, char *c)
{
    static const char from[] = "abfnrtvs\\\"';", to[] = "\a\b\f\n\r\t\v \\\"';";
    const char *known = *text ? strchr(from, *text) : NULL;

    if (known) {
        *c = to[known - from];
        return 1;
    }
    if (*text == 'x' && hexadecimal(text[1]) >= 0 && hexadecimal(text[2]) >= 0) {
        *c = (char)(hexadecimal(text[1]) * 16 + hexadecimal(text[2]));
        return *c ? 3 : 0;
    }
    return 0;
}

struct splitter {
    enum words_dialect dialect;
    const char *at;
    char quote; /* that is open; 0: none */
    char *word;
    size_t length;
};

static void take_backslash(struct splitter *s)
{
    char c = *s->at;
    size_t n = s->dialect == WORDS_SYSTEMD ? unescape(s->at, &c) : 0;

    if (s->dialect == WORDS_SHELL && s->quote == '"' && c != '"' && c != '\\')
        s->word[s->length++] = '\\';
    if (s->dialect == WORDS_SYSTEMD && n == 0)
        s->word[s->length++] = '\\';
    if (*s->at)
        s->word[s->length++] = c;
    s->at += n > 0 ? n : *s->at != '\0';
}

/* Takes one character; false at the end of the word. */
static bool take_character(struct splitter *s)
{
    char c = *s->at;

    if (!c || (!s->quote && isspace((unsigned char)c)))
        return false;
    s->at++;
    if (c == '\\' && !(s->dialect == WORDS_SHELL && s->quote == '\''))
        take_backslash(s);
    else if (s->quote ? c == s->quote : c == '"' || c == '\'')
        s->quote = s->quote ? 0 : c;
    else
        s->word[s->length++] = c;
    return true;
}

int words_split(struct conversion *conversion, enum words_dialect dialect, const char *line,
                struct words *words)
{
    assert(conversion && line && words);
    struct splitter s = {.dialect = dialect, .at = line};
    int r = 0;

    s.word = malloc(2 * strlen(line) + 1);
    if (!s.word)
        return -ENOMEM;
    for (;;) {
        s.at += strspn(s.at, " \t\n\r");
        if (!*s.at)
            break;
        s.length = 0;
        while (take_character(&s))
            continue;
        if (s.quote) {
            r = -EINVAL;
            break;
        }
        words_add(conversion, words, conversion_copy(conversion, s.word, s.length));
    }
    free(s.word);
    return r;
}

/* ---- for a shell ----------------------------------------------------------------------------- */

#define SAFE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./@+%=:,-"

static void put_quoted(FILE *out, const char *word, size_t length)
{
    fputc('\'', out);
    for (size_t i = 0; i < length; i++)
        if (word[i] == '\'')
            fputs("'\\''", out);
        else
            fputc(word[i], out);
    fputc('\'', out);
}

static bool is_safe(const char *word)
{
    return *word && strspn(word, SAFE) == strlen(word) && !strchr(word, '=');
}

static const char *from_stream(struct conversion *conversion, FILE *out, char **text, size_t *size)
{
    if (!out || fclose(out) != 0) {
        conversion->no_memory = true;
        return "";
    }
    const char *copy = conversion_copy(conversion, *text, *size);
    free(*text);
    return copy;
}

const char *words_quote(struct conversion *conversion, const char *word)
{
    assert(conversion && word);
    char *text = NULL;
    size_t size = 0;
    FILE *out = is_safe(word) ? NULL : open_memstream(&text, &size);

    if (is_safe(word))
        return word;
    if (out)
        put_quoted(out, word, strlen(word));
    return from_stream(conversion, out, &text, &size);
}

static size_t name_length(const char *text)
{
    size_t n = 0;

    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return isdigit((unsigned char)text[0]) ? 0 : n;
}

/* The length of "${NAME}" at the beginning of the text; 0: there is none. */
static size_t braced(const char *text)
{
    size_t n = text[0] == '$' && text[1] == '{' ? name_length(text + 2) : 0;
    return n > 0 && text[2 + n] == '}' ? n + 3 : 0;
}

static bool is_variable(const char *word)
{
    return word[0] == '$' && name_length(word + 1) > 0 && word[1 + name_length(word + 1)] == '\0';
}

static bool has_dollar(const char *word)
{
    return strchr(word, '$') != NULL;
}

static void put_word(FILE *out, const char *word, bool *expands)
{
    if (is_variable(word)) {
        *expands = true;
        fputs(word, out);
        return;
    }
    while (*word) {
        size_t n = braced(word);
        if (n > 0) {
            *expands = true;
            fprintf(out, "\"%.*s\"", (int)n, word);
        } else {
            for (n = 1; word[n] && braced(word + n) == 0 && word[n] != '$'; n++)
                continue;
            put_quoted(out, word, n);
            if (word[0] == '$' && word[1] == '$')
                n = 2;
        }
        word += n;
    }
}

const char *words_to_shell(struct conversion *conversion, const struct words *words, bool *expands)
{
    assert(conversion && words && expands);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    for (size_t i = 0; out && i < words->count; i++) {
        if (i > 0)
            fputc(' ', out);
        if (has_dollar(words->items[i]))
            put_word(out, words->items[i], expands);
        else
            fputs(words_quote(conversion, words->items[i]), out);
    }
    return from_stream(conversion, out, &text, &size);
}
