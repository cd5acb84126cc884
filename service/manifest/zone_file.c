/*
 * Time zone files (RFC 8536), turned into the text that the core understands:
 * changes, then the rule for the future.
 */
#include "manifest/zone_file.h"

#include "system/open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER      "/usr/share/zoneinfo/"
#define LOCAL       "/etc/localtime"
#define NAME_MAX_   64
#define FILE_MAX    (256 * 1024)
#define HEADER      44
#define KEPT_FROM   INT64_C(1767225600) /* 2026-01-01 */
#define CHANGES_MAX 4096

/* ---- names ----------------------------------------------------------------------------------- */

/* No path leads out of the folder: each part begins with a letter. */
static bool is_name(const char *name)
{
    bool begins = true;

    if (strlen(name) > NAME_MAX_)
        return false;
    for (; *name; name++) {
        bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
        if (begins ? !letter : !letter && !strchr("0123456789_+-/", *name))
            return false;
        begins = *name == '/';
    }
    return !begins;
}

/* ---- the file: RFC 8536 ---------------------------------------------------------------------- */

struct bytes {
    const unsigned char *at;
    size_t left;
};

static const unsigned char *take(struct bytes *bytes, size_t size)
{
    const unsigned char *at = bytes->at;

    if (size > bytes->left)
        return NULL;
    bytes->at += size;
    bytes->left -= size;
    return at;
}

static uint32_t word_at(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t long_at(const unsigned char *at)
{
    return (int64_t)((uint64_t)word_at(at) << 32 | word_at(at + 4));
}

struct counts {
    uint32_t is_ut, is_standard, leaps, times, types, letters;
};

/* Everything that a size is computed from is bounded. */
static bool take_header(struct bytes *bytes, struct counts *counts, unsigned char *version)
{
    const unsigned char *at = take(bytes, HEADER);

    if (!at || memcmp(at, "TZif", 4) != 0)
        return false;
    *version = at[4];
    *counts = (struct counts){word_at(at + 20), word_at(at + 24), word_at(at + 28),
                              word_at(at + 32), word_at(at + 36), word_at(at + 40)};
    return counts->times <= CHANGES_MAX && counts->types > 0 && counts->types <= 256 &&
           counts->letters <= FILE_MAX && counts->leaps <= FILE_MAX && counts->is_ut <= FILE_MAX &&
           counts->is_standard <= FILE_MAX;
}

/* What follows the times and types, and nobody needs. */
static bool skip_rest(struct bytes *bytes, const struct counts *counts, size_t time_size)
{
    return take(bytes, counts->letters + (size_t)counts->leaps * (time_size + 4) +
                           counts->is_standard + counts->is_ut) != NULL;
}

struct table {
    struct counts counts;
    const unsigned char *times, *kinds, *types;
    const char *rule; /* ends at a line end */
    size_t rule_length;
};

/* The second table has 64-bit times. */
static bool read_table(struct bytes bytes, struct table *table)
{
    unsigned char version;
    struct counts *counts = &table->counts;

    if (!take_header(&bytes, counts, &version) || version < '2' ||
        !take(&bytes, counts->times * (size_t)5 + counts->types * (size_t)6) ||
        !skip_rest(&bytes, counts, 4) || !take_header(&bytes, counts, &version))
        return false;
    table->times = take(&bytes, counts->times * (size_t)8);
    table->kinds = take(&bytes, counts->times);
    table->types = take(&bytes, counts->types * (size_t)6);
    if (!table->times || !table->kinds || !table->types || !skip_rest(&bytes, counts, 8) ||
        !take(&bytes, 1) || bytes.at[-1] != '\n')
        return false;
    const unsigned char *end = memchr(bytes.at, '\n', bytes.left);
    table->rule = (const char *)bytes.at;
    table->rule_length = end ? (size_t)(end - bytes.at) : 0;
    return end != NULL;
}

static int64_t time_of(const struct table *table, uint32_t i)
{
    return long_at(table->times + (size_t)i * 8);
}

static int offset_of(const struct table *table, uint32_t i)
{
    uint32_t type = table->kinds[i];

    return type < table->counts.types ? (int)(int32_t)word_at(table->types + (size_t)type * 6) : 0;
}

/* ---- its text -------------------------------------------------------------------------------- */

/* The first change that is kept: the last one of the past, which says what holds until the next. */
static uint32_t first_kept(const struct table *table)
{
    uint32_t i = 0;

    while (i + 1 < table->counts.times && time_of(table, i + 1) < KEPT_FROM)
        i++;
    return i;
}

/* Whether the rule says of each change that is kept what the table says. */
static bool rule_is_enough(const struct table *table, const struct zone *rule)
{
    for (uint32_t i = first_kept(table); i < table->counts.times; i++) {
        int64_t time = time_of(table, i);
        if (time < KEPT_FROM)
            continue;
        if (zone_offset(rule, time) != offset_of(table, i) ||
            (i > 0 && zone_offset(rule, time - 1) != offset_of(table, i - 1)))
            return false;
    }
    return true;
}

/* Only changes that the rule does not give. */
static int write_text(const struct table *table, const char *rule, char text[ZONE_TEXT_MAX])
{
    struct zone zone;
    size_t used = 0;
    uint32_t first = first_kept(table);

    if (!zone_read(rule, &zone))
        return -EBADMSG;
    if (!rule_is_enough(table, &zone))
        for (uint32_t i = first; i < table->counts.times && i < first + ZONE_CHANGES_MAX; i++)
            if (used < ZONE_TEXT_MAX && time_of(table, i) > 0)
                used += (size_t)snprintf(text + used, ZONE_TEXT_MAX - used, "@%lld=%d ",
                                         (long long)time_of(table, i), offset_of(table, i));
    if (used < ZONE_TEXT_MAX)
        used += (size_t)snprintf(text + used, ZONE_TEXT_MAX - used, "%s", rule);
    return used < ZONE_TEXT_MAX && zone_read(text, &zone) ? 0 : -EBADMSG;
}

/* The result is read back, to be sure. */
static int text_of(const char *file, size_t length, char text[ZONE_TEXT_MAX])
{
    struct table table;
    char rule[256];

    if (!read_table((struct bytes){(const unsigned char *)file, length}, &table) ||
        table.rule_length == 0 || table.rule_length >= sizeof(rule))
        return -EBADMSG;
    memcpy(rule, table.rule, table.rule_length);
    rule[table.rule_length] = '\0';
    return write_text(&table, rule, text);
}

/* A name is a file below /usr/share/zoneinfo, or a rule. */
int zone_file_read(const char *name, char text[ZONE_TEXT_MAX])
{
    char path[sizeof(FOLDER) + NAME_MAX_], *file = NULL;
    struct zone rule;
    size_t length;

    if (name && strcmp(name, "UTC") == 0) {
        strcpy(text, ZONE_UTC);
        return 0;
    }
    if (name && strlen(name) < ZONE_TEXT_MAX && zone_read(name, &rule)) {
        strcpy(text, name);
        return 0;
    }
    if (name && !is_name(name))
        return -ENOENT;
    snprintf(path, sizeof(path), "%s%s", name ? FOLDER : LOCAL, name ? name : "");
    int r = read_regular(AT_FDCWD, path, FILE_MAX, &file, &length);
    if (r == -ENOENT && !name) {
        strcpy(text, ZONE_UTC);
        return 0;
    }
    if (r < 0)
        return r == -EMEDIUMTYPE ? -ENOENT : r;
    r = text_of(file, length, text);
    free(file);
    return r;
}
