/*
 * Reading values from nodes. Every error has the path of the key
 * (stop.timeout), the place, what was expected and what was found.
 */
#include "manifest/reader.h"

#include "core/vocabulary/text.h"
#include "manifest/unit.h"
#include "manifest/near.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t reader_enter(struct reader *reader, const char *key)
{
    size_t mark = strlen(reader->path);
    snprintf(reader->path + mark, sizeof(reader->path) - mark, "%s%s",
             mark > 0 && *key != '[' ? "." : "", key);
    return mark;
}

void reader_leave(struct reader *reader, size_t mark)
{
    reader->path[mark] = '\0';
}

/* Returns -EINVAL, so that a reader can end with it. */
int reader_refuse(struct reader *reader, const struct node *node, const char *format, ...)
{
    struct manifest_error *error = reader->error;
    int length = 0;
    va_list arguments;

    error->line = node ? node->line : 1;
    error->column = node ? node->column : 1;
    text_copy(error->file, sizeof(error->file), node && node->file ? node->file : "");
    if (reader->path[0])
        length = snprintf(error->text, sizeof(error->text), "%s: ", reader->path);
    va_start(arguments, format);
    vsnprintf(error->text + length, sizeof(error->text) - (size_t)length, format, arguments);
    va_end(arguments);
    text_make_line(error->text); /* a long value was cut */
    reader->unnoted = true;
    return -EINVAL;
}

bool reader_goes_on(struct reader *reader, size_t mark, int r)
{
    const struct manifest_error *error = reader->error;
    char text[sizeof(error->text) + 512];

    if (r != -EINVAL || !reader->mistakes)
        return false;
    if (reader->unnoted) {
        snprintf(text, sizeof(text), "%.400s:%zu:%zu: %s",
                 error->file[0] ? error->file : reader->file, error->line, error->column,
                 error->text);
        mistakes_note(reader->mistakes, text);
    }
    reader->unnoted = false;
    reader_leave(reader, mark);
    return true;
}

/* For "expected a list, got a mapping". */
static const char *kind_of(const struct node *node)
{
    switch (node->kind) {
    case NODE_LIST:
        return "a list";
    case NODE_MAPPING:
        return "a mapping";
    case NODE_SCALAR:
        break;
    }
    return "nothing";
}

/* NULL after an error. */
const char *reader_scalar(struct reader *reader, const struct node *node, const char *expected)
{
    if (node->kind != NODE_SCALAR) {
        reader_refuse(reader, node, "expected %s, got %s", expected, kind_of(node));
        return NULL;
    }
    const char *text = node->text;
    if (strlen(text) != node->length) {
        reader_refuse(reader, node, "contains a NUL character");
        return NULL;
    }
    return text;
}

static int wrong(struct reader *reader, const struct node *node, const char *expected,
                 const char *got)
{
    return reader_refuse(reader, node, "expected %s, got \"%.60s\"", expected, got);
}

int reader_duration(struct reader *reader, const struct node *node, uint64_t *usec)
{
    const char *expected = "a duration such as 500ms, 10s or 5m";
    const char *text = reader_scalar(reader, node, expected);

    if (!text)
        return -EINVAL;
    return unit_duration(text, usec) < 0 ? wrong(reader, node, expected, text) : 0;
}

/* 0 and infinity both mean none. */
int reader_deadline(struct reader *reader, const struct node *node, uint64_t *usec)
{
    const char *expected = "a duration such as 10s, or infinity";
    const char *text = reader_scalar(reader, node, expected);

    if (!text)
        return -EINVAL;
    if (strcmp(text, "infinity") != 0)
        return unit_duration(text, usec) < 0 ? wrong(reader, node, expected, text) : 0;
    *usec = 0;
    return 0;
}

int reader_number(struct reader *reader, const struct node *node, uint64_t max, uint64_t *number)
{
    char expected[64];

    snprintf(expected, sizeof(expected), "a whole number from 0 to %ju", (uintmax_t)max);
    const char *text = reader_scalar(reader, node, expected);
    if (!text)
        return -EINVAL;
    return unit_number(text, max, number) < 0 ? wrong(reader, node, expected, text) : 0;
}

int reader_bool(struct reader *reader, const struct node *node, bool *value)
{
    static const struct word words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0}, {}};
    int found;
    int r = reader_word(reader, node, words, &found);

    if (r == 0)
        *value = found;
    return r;
}

/* The error lists all words. */
int reader_word(struct reader *reader, const struct node *node, const struct word *words,
                int *value)
{
    char expected[256] = "one of ";
    size_t length = strlen(expected);

    for (const struct word *word = words; word->word; word++)
        length += (size_t)snprintf(expected + length, sizeof(expected) - length, "%s%s",
                                   word == words ? "" : ", ", word->word);
    const char *text = reader_scalar(reader, node, expected);
    if (!text)
        return -EINVAL;
    for (const struct word *word = words; word->word; word++)
        if (strcmp(word->word, text) == 0) {
            *value = word->value;
            return 0;
        }
    return wrong(reader, node, expected, text);
}

/* A list that ends with NULL, in the arena. */
int reader_strings(struct reader *reader, const struct node *node, size_t max,
                   const char ***strings, size_t *count)
{
    if (node->kind != NODE_LIST)
        return reader_refuse(reader, node, "expected a list, such as [a, b]");

    size_t n = node->count;
    if (n > max)
        return reader_refuse(reader, node, "has %zu entries, at most %zu are allowed", n, max);
    const char **list = arena_allocate(reader->arena, (n + 1) * sizeof(*list));
    int worst = 0;
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        char index[32];
        snprintf(index, sizeof(index), "[%zu]", i);
        size_t mark = reader_enter(reader, index);
        const struct node *item = node->items[i];
        const char *text = reader_scalar(reader, item, "text");
        if (!text && !reader_goes_on(reader, mark, -EINVAL))
            return -EINVAL;
        worst = text ? worst : -EINVAL;
        list[i] = text ? arena_copy(reader->arena, text, strlen(text)) : "";
        if (!list[i])
            return -ENOMEM;
        reader_leave(reader, mark);
    }
    *strings = list;
    *count = n;
    return worst;
}

/* Each a line without control characters, as they are shown on terminals. */
int reader_words(struct reader *reader, const struct node *node, size_t max, const char ***words,
                 size_t *count)
{
    int r = reader_strings(reader, node, max, words, count);

    size_t mark = strlen(reader->path);
    int worst = r;
    for (size_t i = 0; r == 0 && i < *count; i++) {
        if (text_is_at_most((*words)[i], TEXT_PLAIN))
            continue;
        worst = reader_refuse(reader, node->items[i],
                              "must be one line without line ends, tabs or other control "
                              "characters");
        if (!reader_goes_on(reader, mark, worst))
            return worst;
    }
    return worst;
}

/* One line, bounded. */
int reader_line(struct reader *reader, const struct node *node, size_t max, const char **line)
{
    int r = reader_text(reader, node, line);

    if (r == 0 && strlen(*line) > max)
        return reader_refuse(reader, node, "is longer than %zu bytes", max);
    if (r == 0 && !text_is_at_most(*line, TEXT_PLAIN))
        return reader_refuse(reader, node,
                             "must be one line without line ends, tabs or other control "
                             "characters");
    return r;
}

int reader_text(struct reader *reader, const struct node *node, const char **text)
{
    const char *scalar = reader_scalar(reader, node, "text");
    if (!scalar)
        return -EINVAL;
    if (*scalar == '\0')
        return reader_refuse(reader, node, "must not be empty");
    *text = arena_copy(reader->arena, scalar, strlen(scalar));
    return *text ? 0 : -ENOMEM;
}

int reader_u32(struct reader *reader, const struct node *node, uint64_t max, uint32_t *number)
{
    uint64_t value;
    int r = reader_number(reader, node, max, &value);
    if (r == 0)
        *number = (uint32_t)value;
    return r;
}

size_t reader_list_length(const struct node *node)
{
    if (node->kind != NODE_LIST)
        return 0;
    return node->count;
}

/* Each item with its index in the path of an error. */
int reader_list(struct reader *reader, const struct node *node, void *target,
                int (*read)(struct reader *reader, const struct node *item, size_t i, void *target))
{
    if (node->kind != NODE_LIST)
        return reader_refuse(reader, node, "expected a list");
    int worst = 0;
    for (size_t i = 0; i < reader_list_length(node); i++) {
        char index[32];
        snprintf(index, sizeof(index), "[%zu]", i);
        size_t mark = reader_enter(reader, index);
        int r = read(reader, node->items[i], i, target);
        if (r < 0 && !reader_goes_on(reader, mark, r))
            return r;
        if (r < 0)
            worst = r;
        reader_leave(reader, mark);
    }
    return worst;
}

/* Where one table ends another may continue. */
static const struct key *skip_end(const struct key *key)
{
    return !key->name && key->more ? key->more : key;
}

static const struct key *find_key(const struct key *keys, const char *name)
{
    for (keys = skip_end(keys); keys->name; keys = skip_end(keys + 1))
        if (strcmp(keys->name, name) == 0)
            return keys;
    return NULL;
}

/* What it is called elsewhere, in systemd's units and in other tools, or where it stands here. */
static const char *word_for(const struct key *keys, const char *name)
{
    static const struct {
        const char *theirs, *ours;
    } words[] = {{"OnCalendar", "schedule"},
                 {"on_calendar", "schedule"},
                 {"timer", "schedule"},
                 {"cron", "schedule"},
                 {"OnCalendar", "at"},
                 {"RandomizedDelaySec", "random_delay"},
                 {"Persistent", "persistent"},
                 {"Description", "description"},
                 {"summary", "description"},
                 {"CPUAffinity", "cpu_affinity"},
                 {"cpuset", "cpu_affinity"},
                 {"CPUQuota", "limits"},
                 {"MemoryMax", "limits"},
                 {"MemoryHigh", "limits"},
                 {"IOWeight", "limits"},
                 {"cpus", "limits"},
                 {"memory", "limits"},
                 {"pids", "limits"},
                 {"cpu_weight", "limits"},
                 {"cpu_max", "limits"},
                 {"memory_high", "limits"},
                 {"io_weight", "limits"},
                 {"ExecStartPre", "before"},
                 {"ExecReload", "reload"},
                 {"reload_command", "reload"},
                 {"ExecStop", "stop"},
                 {"ExecStartPost", "after_start"},
                 {"post_start", "after_start"},
                 {"ExecStop", "commands"},
                 {"ExecStopPost", "after_stop"},
                 {"post_stop", "after_stop"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(name, words[i].theirs) == 0 && find_key(keys, words[i].ours))
            return words[i].ours;
    return NULL;
}

/* With a suggestion, also from other tools' words. */
static int refuse_unknown(struct reader *reader, const struct node *node, const struct key *keys,
                          const char *name)
{
    const char *nearest = word_for(keys, name);
    size_t best = nearest ? 0 : NEAR_MAX + 1;

    for (const struct key *key = skip_end(keys); key->name; key = skip_end(key + 1)) {
        size_t d = near_distance(name, key->name);
        if (d < best) {
            best = d;
            nearest = key->name;
        }
    }
    char shown[41];
    snprintf(shown, sizeof(shown), "%.40s", name);
    reader_enter(reader, shown);
    if (nearest)
        return reader_refuse(reader, node, "unknown key, did you mean \"%s\"?", nearest);
    return reader_refuse(reader, node, "unknown key");
}

static int read_pair(struct reader *reader, const struct pair *pair, const struct key *keys,
                     void *target)
{
    const char *name = reader_scalar(reader, pair->key, "the name of a key");

    if (!name)
        return -EINVAL;
    const struct key *key = find_key(keys, name);
    if (!key)
        return refuse_unknown(reader, pair->key, keys, name);
    size_t mark = reader_enter(reader, name);
    int r = key->read(reader, pair->value, target);
    if (r == 0)
        reader_leave(reader, mark);
    return r;
}

/* Each key is read by its reader; keys that are missing keep their default. */
int reader_mapping(struct reader *reader, const struct node *node, const struct key *keys,
                   void *target)
{
    size_t mark = strlen(reader->path);
    int worst = 0;

    if (node->kind != NODE_MAPPING)
        return reader_refuse(reader, node, "expected a mapping of keys to values");
    for (const struct pair *pair = node->pairs; pair < node->pairs + node->count; pair++) {
        int r = read_pair(reader, pair, keys, target);
        if (r < 0 && !reader_goes_on(reader, mark, r))
            return r;
        if (r < 0)
            worst = r;
    }
    return worst;
}

/* Up to three decimals, without floating point. */
int reader_milli(struct reader *reader, const struct node *node, uint64_t min, uint64_t max,
                 uint32_t *target)
{
    uint64_t milli;
    const char *text = reader_scalar(reader, node, "a number");

    if (!text)
        return -EINVAL;
    if (unit_milli(text, max, &milli) < 0 || milli < min)
        return reader_refuse(reader, node, "expected a number from %g to %g, got \"%.60s\"",
                             (double)min / 1000, (double)max / 1000, text);
    *target = (uint32_t)milli;
    return 0;
}
