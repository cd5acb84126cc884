/*
 * Resources in a manifest: what a child may use as a whole, with all its processes, and on which
 * processors.
 */
#include "manifest/reader.h"

#include "system/number.h"
#include "manifest/unit.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define WEIGHT_MAX  10000
#define PIDS_MAX    4194304
#define MEMORY_MIN  65536
#define PERCENT_MAX (AFFINITY_MAX * 100)

static int read_memory(struct reader *reader, const struct node *node, const char *text,
                       uint64_t *bytes)
{
    if (unit_size(text, bytes) < 0 || *bytes < MEMORY_MIN)
        return reader_refuse(reader, node, "expected a size of at least 64K, got \"%.60s\"", text);
    return 1;
}

/* 1 means that it was one of these limits. */
static int read_weight(struct reader *reader, const struct node *node, const char *text,
                       uint32_t *weight)
{
    uint64_t number;

    if (unit_number(text, WEIGHT_MAX, &number) < 0 || number == 0)
        return reader_refuse(reader, node, "expected a weight from 1 to 10000, got \"%.60s\"",
                             text);
    *weight = (uint32_t)number;
    return 1;
}

/* Of one processor: 150% is one and a half. */
static int read_share(struct reader *reader, const struct node *node, const char *text,
                      uint64_t *usec)
{
    char number[16];
    uint64_t milli = 0;
    size_t length = strlen(text);

    if (length > 1 && length < sizeof(number) && text[length - 1] == '%') {
        memcpy(number, text, length - 1);
        number[length - 1] = '\0';
        if (unit_milli(number, PERCENT_MAX * 1000, &milli) < 0)
            milli = 0;
    }
    if (milli < 1000)
        return reader_refuse(reader, node, "expected 1%% to %d%%, such as 150%%, got \"%.60s\"",
                             PERCENT_MAX, text);
    *usec = milli * CPU_PERIOD_USEC / 100000;
    return 1;
}

static int read_pids(struct reader *reader, const struct node *node, const char *text,
                     uint64_t *pids)
{
    if (unit_number(text, PIDS_MAX, pids) < 0 || *pids == 0)
        return reader_refuse(reader, node, "expected 1 to 4194304 processes, got \"%.60s\"", text);
    return 1;
}

/* 0: the name is not one of a whole child; it may be one of setrlimit(2). */
int manifest_read_whole_limit(struct reader *reader, const char *name, const struct node *node,
                              const char *text, struct process_spec *process)
{
    assert(reader && name && node && text && process);
    if (strcmp(name, "memory") == 0)
        return read_memory(reader, node, text, &process->memory_max);
    if (strcmp(name, "memory_high") == 0)
        return read_memory(reader, node, text, &process->memory_high);
    if (strcmp(name, "pids") == 0)
        return read_pids(reader, node, text, &process->pids_max);
    if (strcmp(name, "cpu_weight") == 0)
        return read_weight(reader, node, text, &process->cpu_weight);
    if (strcmp(name, "cpu_max") == 0)
        return read_share(reader, node, text, &process->cpu_max_usec);
    if (strcmp(name, "io_weight") == 0)
        return read_weight(reader, node, text, &process->io_weight);
    return 0;
}

/* ---- processors ------------------------------------------------------------------------------ */

static bool take_processor(const char **text, uint64_t *number)
{
    return number_take(text, number) == 0 && *number < AFFINITY_MAX;
}

/* "3" or "0-3"; *text moves behind it. */
static bool take_range(const char **text, uint64_t *words)
{
    uint64_t first, last;

    if (!take_processor(text, &first))
        return false;
    last = first;
    if (**text == '-') {
        ++*text;
        if (!take_processor(text, &last) || last < first)
            return false;
    }
    for (uint64_t n = first; n <= last; n++)
        words[n / 64] |= UINT64_C(1) << n % 64;
    return true;
}

/* Comma-separated, with blanks. */
static bool take_ranges(const char *text, uint64_t *words)
{
    while (take_range(&text, words)) {
        if (*text == '\0')
            return true;
        if (*text++ != ',')
            return false;
        text += strspn(text, " ");
    }
    return false;
}

/* As a bit set of fixed size. */
int manifest_read_affinity(struct reader *reader, const struct node *node,
                           const uint64_t **affinity)
{
    const char *text = reader_scalar(reader, node, "processors, such as 0-3,5");

    if (!text)
        return -EINVAL;
    uint64_t *words = arena_allocate(reader->arena, AFFINITY_WORDS * sizeof(*words));
    if (!words)
        return -ENOMEM;
    if (!take_ranges(text, words))
        return reader_refuse(reader, node,
                             "expected processors from 0 to %d, such as 0-3,5, got \"%.60s\"",
                             AFFINITY_MAX - 1, text);
    *affinity = words;
    return 0;
}
