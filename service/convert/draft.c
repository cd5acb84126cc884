/*
 * A draft is a manifest in the making: keys in the order in which they are set,
 * with comments. Errors of memory are remembered, so that converters need not
 * check each call.
 */
#include "convert/draft.h"

#include "core/model/declaration.h"
#include "core/vocabulary/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void conversion_free(struct conversion *conversion)
{
    assert(conversion);
    arena_free(&conversion->arena);
    *conversion = (struct conversion){};
}

int conversion_result(const struct conversion *conversion)
{
    assert(conversion);
    return conversion->no_memory ? -ENOMEM : conversion->too_many ? -E2BIG : 0;
}

static void *allocate(struct conversion *conversion, size_t size)
{
    void *memory = arena_allocate(&conversion->arena, size);

    if (!memory)
        conversion->no_memory = true;
    return memory;
}

/* "" without memory, which is remembered: callers need not check. */
const char *conversion_copy(struct conversion *conversion, const char *text, size_t length)
{
    assert(conversion && text);
    const char *copy = arena_copy(&conversion->arena, text, length);

    if (!copy)
        conversion->no_memory = true;
    return copy ? copy : "";
}

/* In the arena of the conversion. */
static const char *format_text(struct conversion *conversion, const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0) {
        conversion->no_memory = true;
        return "";
    }
    const char *copy = conversion_copy(conversion, text, strlen(text));
    free(text);
    return copy;
}

const char *conversion_format(struct conversion *conversion, const char *format, ...)
{
    va_list arguments;

    assert(conversion && format);
    va_start(arguments, format);
    const char *text = format_text(conversion, format, arguments);
    va_end(arguments);
    return text;
}

/* The first error ends the conversion. */
int conversion_refuse(struct conversion *conversion, struct place place, const char *format, ...)
{
    va_list arguments;

    assert(conversion && format && place.file);
    va_start(arguments, format);
    const char *why = format_text(conversion, format, arguments);
    va_end(arguments);
    if (place.line)
        snprintf(conversion->error, sizeof(conversion->error), "%s:%zu: %s", place.file, place.line,
                 why);
    else
        snprintf(conversion->error, sizeof(conversion->error), "%s: %s", place.file, why);
    return -EINVAL;
}

/* ---- a child, and its name ------------------------------------------------------------------- */

static bool is_name_character(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr("_.@:-", c));
}

static bool is_taken(const struct conversion *conversion, const char *name)
{
    for (const struct draft *draft = conversion->drafts; draft; draft = draft->next)
        if (strcmp(draft->name, name) == 0)
            return true;
    return false;
}

/* Characters that ids do not have become dashes; names stay unique. */
static const char *make_name(struct conversion *conversion, const char *given)
{
    char valid[DRAFT_NAME_MAX + 1], name[DRAFT_NAME_MAX + 1];
    size_t n = 0;

    for (; given[n] && n < DRAFT_NAME_MAX; n++)
        valid[n] = is_name_character(given[n]) ? given[n] : '-';
    if (n == 0)
        valid[n++] = '-';
    valid[n] = '\0';
    memcpy(name, valid, n + 1);
    for (size_t number = 2; is_taken(conversion, name); number++) {
        char end[24];
        int length = snprintf(end, sizeof(end), "-%zu", number);
        size_t room = DRAFT_NAME_MAX - (size_t)length;
        snprintf(name, sizeof(name), "%.*s%s", (int)(n < room ? n : room), valid, end);
    }
    return conversion_copy(conversion, name, strlen(name));
}

/* NULL if there are too many. */
struct draft *draft_new(struct conversion *conversion, struct place place, const char *name)
{
    struct draft **end = &conversion->drafts;

    assert(conversion && name);
    if (conversion->n_drafts == DRAFTS_MAX) {
        conversion->too_many = true;
        conversion_refuse(conversion, place, "more than %d children", DRAFTS_MAX);
        return NULL;
    }
    struct draft *draft = allocate(conversion, sizeof(*draft));
    if (!draft)
        return NULL;
    *draft = (struct draft){.name = make_name(conversion, name),
                            .given_name = conversion_copy(conversion, name, strlen(name)),
                            .place = place,
                            .conversion = conversion};
    while (*end)
        end = &(*end)->next;
    *end = draft;
    conversion->n_drafts++;
    return draft;
}

struct draft *draft_find(const struct conversion *conversion, const char *given_name)
{
    assert(conversion && given_name);
    for (struct draft *draft = conversion->drafts; draft; draft = draft->next)
        if (strcmp(draft->given_name, given_name) == 0)
            return draft;
    return NULL;
}

/* ---- its keys -------------------------------------------------------------------------------- */

/* At the end of its list. */
static struct entry *add_entry(struct conversion *conversion, struct entry **list, const char *key,
                               size_t length)
{
    struct entry *entry = allocate(conversion, sizeof(*entry));

    if (!entry)
        return NULL;
    if (key)
        entry->key = conversion_copy(conversion, key, length);
    while (*list)
        list = &(*list)->next;
    return *list = entry;
}

static struct entry *find_entry(struct entry *list, const char *key, size_t length)
{
    for (; list; list = list->next)
        if (list->key && strncmp(list->key, key, length) == 0 && list->key[length] == '\0')
            return list;
    return NULL;
}

/* The entry of a path, made where it is missing. NULL without memory. */
static struct entry *reach(struct draft *draft, const char *path)
{
    struct entry **list = &draft->entries, *entry = NULL;

    for (; path; path = strchr(path, '.') ? strchr(path, '.') + 1 : NULL) {
        size_t length = strcspn(path, ".");
        if (entry)
            entry->kind = ENTRY_MAPPING;
        entry = find_entry(*list, path, length);
        if (!entry)
            entry = add_entry(draft->conversion, list, path, length);
        if (!entry)
            return NULL;
        list = &entry->below;
    }
    return entry;
}

/* A path with dots. */
static const struct entry *look(const struct draft *draft, const char *path)
{
    struct entry *list = draft->entries, *entry = NULL;

    for (; path; path = strchr(path, '.') ? strchr(path, '.') + 1 : NULL) {
        entry = find_entry(list, path, strcspn(path, "."));
        if (!entry)
            return NULL;
        list = entry->below;
    }
    return entry;
}

/* Does nothing if the key is not there. */
void draft_remove(struct draft *draft, const char *key)
{
    assert(draft && key);
    for (struct entry **entry = &draft->entries; *entry; entry = &(*entry)->next)
        if (strcmp((*entry)->key, key) == 0) {
            *entry = (*entry)->next;
            return;
        }
}

bool draft_has(const struct draft *draft, const char *path)
{
    assert(draft && path);
    return look(draft, path) != NULL;
}

bool draft_is(const struct draft *draft, const char *path, const char *value)
{
    assert(draft && path && value);
    const struct entry *entry = look(draft, path);

    return entry && entry->text && strcmp(entry->text, value) == 0;
}

/* Several are joined. */
void draft_comment(struct draft *draft, const char *path, const char *comment)
{
    assert(draft && path && comment);
    struct entry *entry = reach(draft, path);

    if (!entry)
        return;
    if (!entry->comment)
        draft->conversion->n_changed++;
    entry->comment = entry->comment
                         ? conversion_format(draft->conversion, "%s; %s", entry->comment, comment)
                         : comment;
}

/* A later value replaces an earlier one. */
void draft_set(struct draft *draft, const char *path, const char *value, const char *comment)
{
    assert(draft && path && value);
    struct entry *entry = reach(draft, path);

    if (!entry)
        return;
    entry->kind = ENTRY_SCALAR;
    entry->text = conversion_copy(draft->conversion, value, strlen(value));
    if (comment)
        draft_comment(draft, path, comment);
}

/* A text that is too long for a description becomes a comment. */
void draft_describe(struct draft *draft, const char *text)
{
    assert(draft);
    if (!text || !*text)
        return;
    if (strlen(text) <= DESCRIPTION_MAX && text_is_at_most(text, TEXT_PLAIN))
        draft_set(draft, "description", text, NULL);
    else
        draft->title = text;
}

/* To a list. */
void draft_append(struct draft *draft, const char *path, const char *item)
{
    assert(draft && path && item);
    struct entry *list = reach(draft, path);
    struct entry *entry = list ? add_entry(draft->conversion, &list->below, NULL, 0) : NULL;

    if (!entry)
        return;
    list->kind = ENTRY_LIST;
    entry->text = conversion_copy(draft->conversion, item, strlen(item));
}

/* An empty list, which says more than none: it replaces a default. */
void draft_clear(struct draft *draft, const char *path)
{
    assert(draft && path);
    struct entry *list = reach(draft, path);

    if (list) {
        list->kind = ENTRY_LIST;
        list->below = NULL;
    }
}

void draft_append_once(struct draft *draft, const char *path, const char *item)
{
    assert(draft && path && item);
    const struct entry *list = look(draft, path);

    for (const struct entry *entry = list ? list->below : NULL; entry; entry = entry->next)
        if (entry->text && strcmp(entry->text, item) == 0)
            return;
    draft_append(draft, path, item);
}

/* A mapping in a list. */
void draft_append_pairs(struct draft *draft, const char *path, const char *const *pairs,
                        size_t n_pairs)
{
    assert(draft && path && pairs);
    struct entry *list = reach(draft, path);
    struct entry *item = list ? add_entry(draft->conversion, &list->below, NULL, 0) : NULL;

    if (!item)
        return;
    list->kind = ENTRY_LIST;
    item->kind = ENTRY_MAPPING;
    for (size_t i = 0; i < n_pairs; i++) {
        const char *key = pairs[2 * i], *value = pairs[2 * i + 1];
        struct entry *entry =
            value ? add_entry(draft->conversion, &item->below, key, strlen(key)) : NULL;
        if (entry)
            entry->text = conversion_copy(draft->conversion, value, strlen(value));
    }
}

static void add_words(struct conversion *conversion, struct entry *list, const char *const *words,
                      size_t n_words)
{
    list->kind = ENTRY_LIST;
    for (size_t i = 0; i < n_words; i++) {
        struct entry *word = add_entry(conversion, &list->below, NULL, 0);
        if (word)
            word->text = conversion_copy(conversion, words[i], strlen(words[i]));
    }
}

/* The short form if nothing else is said. */
void draft_append_command(struct draft *draft, const char *path, const char *const *words,
                          size_t n_words, bool may_fail)
{
    assert(draft && path && words);
    struct conversion *conversion = draft->conversion;
    struct entry *list = reach(draft, path);
    struct entry *item = list ? add_entry(conversion, &list->below, NULL, 0) : NULL;

    if (!item)
        return;
    list->kind = ENTRY_LIST;
    if (!may_fail) {
        add_words(conversion, item, words, n_words);
        return;
    }
    item->kind = ENTRY_MAPPING;
    struct entry *exec = add_entry(conversion, &item->below, "exec", strlen("exec"));
    if (exec)
        add_words(conversion, exec, words, n_words);
    struct entry *may = add_entry(conversion, &item->below, "may_fail", strlen("may_fail"));
    if (may)
        may->text = "true";
}

/* An entry of a mapping such as the environment. */
void draft_map(struct draft *draft, const char *path, const char *key, const char *value)
{
    assert(draft && path && key && value);
    struct entry *mapping = reach(draft, path), *entry = NULL;

    if (!mapping)
        return;
    mapping->kind = ENTRY_MAPPING;
    entry = find_entry(mapping->below, key, strlen(key));
    if (!entry)
        entry = add_entry(draft->conversion, &mapping->below, key, strlen(key));
    if (entry)
        entry->text = conversion_copy(draft->conversion, value, strlen(value));
}

/* Dependencies on what was not converted are dropped, and listed. */
static void settle_list(struct draft *draft, const char *key)
{
    struct entry *list = find_entry(draft->entries, key, strlen(key));
    struct entry **item = list ? &list->below : NULL;

    while (item && *item) {
        if (is_taken(draft->conversion, (*item)->text)) {
            item = &(*item)->next;
            continue;
        }
        conversion_lose(draft->conversion, draft->place,
                        conversion_format(draft->conversion, "%s: %s", key, (*item)->text),
                        "is not among the files; start proctord after it");
        *item = (*item)->next;
    }
    if (list && !list->below)
        draft_remove(draft, key);
}

void conversion_settle(struct conversion *conversion)
{
    assert(conversion);
    for (struct draft *draft = conversion->drafts; draft; draft = draft->next) {
        settle_list(draft, "requires");
        settle_list(draft, "after");
    }
}

/* The same remark about the same lines is made once. */
void conversion_lose(struct conversion *conversion, struct place place, const char *what,
                     const char *text)
{
    struct remark **end = &conversion->lost;

    assert(conversion && place.file && text);
    for (const struct remark *other = conversion->lost; other; other = other->next)
        if (other->place.line == place.line && strcmp(other->place.file, place.file) == 0 &&
            strcmp(other->text, text) == 0 &&
            strcmp(other->what ? other->what : "", what ? what : "") == 0)
            return; /* told already, for another child of the same lines */
    struct remark *remark = allocate(conversion, sizeof(*remark));
    if (!remark)
        return;
    *remark = (struct remark){.place = place,
                              .what = what ? conversion_copy(conversion, what, strlen(what)) : NULL,
                              .text = conversion_copy(conversion, text, strlen(text))};
    while (*end)
        end = &(*end)->next;
    *end = remark;
    conversion->n_lost++;
}
