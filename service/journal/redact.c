/*
 * Replacing secrets, each by the same number every time.
 */
#include "journal/redact.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SIZE 256

struct pair {
    char *secret, *replacement;
};

struct redactor {
    void *root;
    unsigned long count;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->secret, ((const struct pair *)b)->secret);
}

static void free_pair(void *node)
{
    struct pair *entry = node;

    if (entry) {
        free(entry->secret);
        free(entry->replacement);
    }
    free(entry);
}

struct redactor *redactor_new(void)
{
    return calloc(1, sizeof(struct redactor));
}

void redactor_free(struct redactor *redactor)
{
    if (redactor)
        tdestroy(redactor->root, free_pair);
    free(redactor);
}

/* What is before '=' in a variable; nothing of a longer text. */
static size_t name_length(const char *secret)
{
    size_t length = strcspn(secret, "=\n");

    return secret[length] == '=' && length < NAME_MAX_SIZE ? length + 1 : 0;
}

/* The name of a variable stays; its value goes. */
static struct pair *new_pair(struct redactor *redactor, const char *secret)
{
    struct pair *entry = calloc(1, sizeof(*entry));
    char text[NAME_MAX_SIZE + 32];

    if (!entry)
        return NULL;
    size_t name = name_length(secret);
    memcpy(text, secret, name);
    snprintf(text + name, sizeof(text) - name, "#%lu", ++redactor->count);
    entry->secret = strdup(secret);
    entry->replacement = strdup(text);
    if (!entry->secret || !entry->replacement || !tsearch(entry, &redactor->root, compare)) {
        free_pair(entry);
        return NULL;
    }
    return entry;
}

const char *redactor_replace(void *userdata, const char *secret)
{
    struct redactor *redactor = userdata;
    struct pair wanted = {.secret = (char *)(unsigned long)secret};
    struct pair **found = tfind(&wanted, &redactor->root, compare);
    struct pair *entry = found ? *found : new_pair(redactor, secret);

    return entry ? entry->replacement : NULL;
}
