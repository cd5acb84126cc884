/*
 * A manifest written back from its nodes: what proctord has understood.
 */
#include "manifest/written.h"

#include "core/vocabulary/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SHORT_MAX 128 /* libyaml looks 1024 characters ahead, escapes and all */

/* Whether a text can stand there as it is, wherever in flow style. */
static bool is_plain(const struct node *node)
{
    static const char first[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/.-";
    static const char later[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/.-+:=@%~^$";
    const char *text = node->text;

    if (node->quoted || node->length == 0 || strspn(text, later) != node->length ||
        !strchr(first, text[0]) || text[node->length - 1] == ':')
        return false;
    return strspn(text, ".-") == 0 || (text[0] == '-' && strspn(text, ".-") == 1 && text[1]);
}

/* Everything that YAML could read differently is escaped. */
static void write_character(FILE *out, const char *at, size_t length, enum text_class class,
                            uint32_t code)
{
    if (code == '"' || code == '\\')
        fprintf(out, "\\%c", (char)code);
    else if (code == '\n')
        fputs("\\n", out);
    else if (code == '\t')
        fputs("\\t", out);
    else if (class == TEXT_PLAIN && code != 0xFEFF)
        fwrite(at, 1, length, out);
    else
        fprintf(out, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
}

/* Double quotes are the only form that can express any text. */
static void write_quoted(FILE *out, const char *text)
{
    enum text_class class;
    uint32_t code;

    fputc('"', out);
    for (size_t n; *text; text += n) {
        n = text_next(text, &class, &code);
        write_character(out, text, n, class, code);
    }
    fputc('"', out);
}

static void write_node(FILE *out, const struct node *node);

/* A key that is longer than a parser looks ahead is announced. */
static void write_pair(FILE *out, const struct pair *pair)
{
    fputs(pair->key->length > KEY_SHORT_MAX ? "? " : "", out);
    write_node(out, pair->key);
    fputs(pair->key->length > KEY_SHORT_MAX ? " : " : ": ", out);
    write_node(out, pair->value);
}

/* On one line. */
static void write_node(FILE *out, const struct node *node)
{
    switch (node->kind) {
    case NODE_SCALAR:
        if (is_plain(node))
            fputs(node->text, out);
        else
            write_quoted(out, node->text);
        break;
    case NODE_LIST:
        fputc('[', out);
        for (size_t i = 0; i < node->count; i++) {
            fputs(i > 0 ? ", " : "", out);
            write_node(out, node->items[i]);
        }
        fputc(']', out);
        break;
    case NODE_MAPPING:
        fputc('{', out);
        for (size_t i = 0; i < node->count; i++) {
            fputs(i > 0 ? ", " : "", out);
            write_pair(out, &node->pairs[i]);
        }
        fputc('}', out);
        break;
    }
}

static bool listed(const char *const *words, const char *word)
{
    for (; words && *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

/* Where the secret stands is noted, so that it can be left out later. */
static void write_keys(FILE *out, const struct node *mapping, const char *const *without,
                       const char *secret, struct written *written)
{
    for (size_t i = 0; i < mapping->count; i++) {
        const struct pair *pair = &mapping->pairs[i];
        if (listed(without, pair->key->text))
            continue;
        write_node(out, pair->key);
        fputs(": ", out);
        long from = ftell(out);
        write_node(out, pair->value);
        if (secret && strcmp(pair->key->text, secret) == 0) {
            written->secret_from = (size_t)from;
            written->secret_length = (size_t)(ftell(out) - from);
        }
        fputc('\n', out);
    }
}

/* The keys at the top, one per line. */
struct written manifest_write(struct arena *arena, const struct node *mapping,
                              const char *const *without, const char *secret)
{
    struct written written = {};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return written;
    write_keys(out, mapping, without, secret, &written);
    if (fclose(out) == 0)
        written.text = arena_copy(arena, text, size);
    free(text);
    return written;
}
