/*
 * Values of YAML files as the programs that read them understand them:
 * variables in texts, commands as text or list, durations, environments.
 */
#include "convert/yaml_value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct node *yaml_find(const struct node *node, const char *key)
{
    assert(key);
    return node ? node_find(node, key) : NULL;
}

struct place yaml_place(const struct yaml_file *file, const struct node *node)
{
    assert(file && node);
    return (struct place){file->path, node->line};
}

void yaml_lose(const struct yaml_file *file, const struct node *at, const char *what,
               const char *why)
{
    assert(file && at && what && why);
    conversion_lose(file->conversion, yaml_place(file, at), what, why);
}

/* ---- ${NAME} --------------------------------------------------------------------------------- */

/* The length of a name at the beginning of the text. */
static size_t name_length(const char *text)
{
    size_t n = 0;

    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return isdigit((unsigned char)*text) ? 0 : n;
}

/* Puts the value of what a dollar sign begins; returns how many characters it took. */
static size_t put_variable(const struct yaml_file *file, const struct node *node, FILE *out,
                           const char *at)
{
    bool braces = at[1] == '{';
    size_t name = name_length(at + 1 + braces);
    const char *behind = at + 1 + braces + name;
    const char *end = braces ? strchr(behind, '}') : behind;

    if (at[1] == '$') {
        fputc('$', out);
        return 2;
    }
    if (name == 0 || !end) {
        fputc('$', out);
        return 1;
    }
    if (braces && (behind[0] == '-' || strncmp(behind, ":-", 2) == 0)) {
        behind += behind[0] == ':' ? 2 : 1;
        fwrite(behind, 1, (size_t)(end - behind), out);
    } else
        yaml_lose(file, node,
                  conversion_format(file->conversion, "$%.*s", (int)name, at + 1 + braces),
                  "has no value here: write it into the manifest");
    return (size_t)(end - at) + braces;
}

/* Variables of the environment in which proctorctl runs; Compose does the same
 * when it starts. */
static const char *interpolate(const struct yaml_file *file, const struct node *node)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    for (const char *at = node->text; out && *at;)
        if (*at == '$')
            at += put_variable(file, node, out, at);
        else
            fputc(*at++, out);
    if (!out || fclose(out) != 0) {
        file->conversion->no_memory = true;
        return "";
    }
    const char *copy = conversion_copy(file->conversion, text, size);
    free(text);
    return copy;
}

static bool is_null(const struct node *node)
{
    static const char *const words[] = {"~", "null", "Null", "NULL"};

    for (size_t i = 0; !node->quoted && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(node->text, words[i]) == 0)
            return true;
    return false;
}

const char *yaml_text(const struct yaml_file *file, const struct node *node)
{
    assert(file);
    if (!node || node->kind != NODE_SCALAR || is_null(node))
        return "";
    return file->interpolates && strchr(node->text, '$') ? interpolate(file, node) : node->text;
}

/* ---- lists and commands ---------------------------------------------------------------------- */

struct words yaml_list(const struct yaml_file *file, const struct node *node)
{
    struct words words = {};

    assert(file);
    if (node && node->kind == NODE_SCALAR && *node->text)
        words_add(file->conversion, &words, yaml_text(file, node));
    for (size_t i = 0; node && node->kind == NODE_LIST && i < node->count; i++)
        words_add(file->conversion, &words, yaml_text(file, node->items[i]));
    return words;
}

/* A text is split as a shell would split it; a list is taken as it is. */
int yaml_command(const struct yaml_file *file, const struct node *node, struct words *words)
{
    assert(file && words);
    *words = (struct words){};
    if (node && node->kind == NODE_SCALAR) {
        if (words_split(file->conversion, WORDS_SHELL, yaml_text(file, node), words) < 0)
            return conversion_refuse(file->conversion, yaml_place(file, node),
                                     "a quote is not closed");
        return 0;
    }
    *words = yaml_list(file, node);
    return 0;
}

/* Programs without a path are found by env(1). */
void yaml_put_exec(const struct yaml_file *file, struct draft *draft, const char *path,
                   const struct words *words)
{
    assert(file && draft && path && words);
    if (words->count == 0)
        return;
    if (words->items[0][0] != '/')
        draft_append(draft, path, "/usr/bin/env");
    for (size_t i = 0; i < words->count; i++)
        draft_append(draft, path, words->items[i]);
    if (words->items[0][0] != '/')
        draft_comment(draft, path, "found in the PATH of the child");
}

/* "1m30s" is "1m 30s" in a manifest. */
const char *yaml_duration(const struct yaml_file *file, const struct node *node)
{
    const char *text = yaml_text(file, node);
    char spaced[64];
    size_t n = 0;

    assert(file);
    for (size_t i = 0; text[i] && n + 2 < sizeof(spaced); i++) {
        if (i > 0 && isdigit((unsigned char)text[i]) && isalpha((unsigned char)text[i - 1]))
            spaced[n++] = ' ';
        spaced[n++] = text[i];
    }
    return conversion_copy(file->conversion, spaced, n);
}

/* A variable without a value would be taken from the environment, which no
 * child inherits here. */
static void put_variable_of(const struct yaml_file *file, struct draft *draft,
                            const struct pair *pair)
{
    const char *text = yaml_text(file, pair->value);

    if (name_length(pair->key->text) != strlen(pair->key->text)) {
        yaml_lose(file, pair->key, pair->key->text, "is not the name of a variable");
        return;
    }
    if (*text || (pair->value && pair->value->kind == NODE_SCALAR && pair->value->quoted))
        draft_map(draft, "environment", pair->key->text, text);
    else if (pair->value && pair->value->kind == NODE_SCALAR && !strchr(pair->value->text, '$'))
        yaml_lose(file, pair->key, pair->key->text,
                  "nothing of proctord's environment goes to a child: write its value");
}

/* As a mapping, or as a list of NAME=VALUE. */
void yaml_put_environment(const struct yaml_file *file, struct draft *draft,
                          const struct node *node)
{
    assert(file && draft && node);
    for (size_t i = 0; node->kind == NODE_MAPPING && i < node->count; i++)
        put_variable_of(file, draft, &node->pairs[i]);
    for (size_t i = 0; node->kind == NODE_LIST && i < node->count; i++) {
        const char *text = yaml_text(file, node->items[i]), *equals = strchr(text, '=');
        if (equals && name_length(text) != (size_t)(equals - text))
            yaml_lose(file, node->items[i], text, "is not the name of a variable");
        else if (equals)
            draft_map(draft, "environment",
                      conversion_copy(file->conversion, text, (size_t)(equals - text)), equals + 1);
        else
            yaml_lose(file, node->items[i], text,
                      "nothing of proctord's environment goes to a "
                      "child: write its value");
    }
}
