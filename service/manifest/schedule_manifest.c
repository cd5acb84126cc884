/*
 * Schedules in a manifest: an expression, several, or a mapping that says more.
 */
#include "manifest/reader.h"
#include "core/vocabulary/invariant.h"
#include "manifest/zone_file.h"

#include "core/calendar/timetable.h"

#include <errno.h>
#include <string.h>

struct parsed {
    struct child_declaration *declaration;
    const char *zone; /* its name; NULL: that of the machine */
    const struct node *zone_node;
};

/* ---- expressions ----------------------------------------------------------------------------- */

/* One that will never come is a mistake; one that has passed was right once. */
static int check_expression(struct reader *reader, const struct node *node, const char *text)
{
    struct timetable timetable;
    struct zone utc;
    int64_t next;
    const char *wrong = strchr(text, '\n') ? "it is one line" : timetable_read(text, &timetable);

    if (!wrong && zone_read(ZONE_UTC, &utc) && !timetable_next(&timetable, &utc, -1, &next))
        wrong = "this day is in no calendar";
    return wrong ? reader_refuse(reader, node, "\"%.60s\": %s", text, wrong) : 0;
}

/* Expressions are joined with line ends, as the declaration has one text. */
static int add_expression(struct reader *reader, const struct node *node,
                          struct child_declaration *declaration)
{
    const char *text, *before = declaration->schedule ? declaration->schedule : "";
    size_t used = strlen(before), size;
    int r = reader_text(reader, node, &text);

    if (r == 0)
        r = check_expression(reader, node, text);
    if (r < 0)
        return r;
    size = used + strlen(text) + 2;
    if (size > TIMETABLE_TEXT_MAX)
        return reader_refuse(reader, node, "all expressions together are longer than %d characters",
                             TIMETABLE_TEXT_MAX);
    char *all = arena_allocate(reader->arena, size);
    if (!all)
        return -ENOMEM;
    memcpy(all, before, used);
    if (used > 0)
        all[used++] = '\n';
    strcpy(all + used, text);
    declaration->schedule = all;
    return 0;
}

static int add_item(struct reader *reader, const struct node *item, size_t i, void *target)
{
    (void)i;
    return add_expression(reader, item, target);
}

/* The whole list is checked together, since its length is limited. */
static int read_expressions(struct reader *reader, const struct node *node,
                            struct child_declaration *declaration)
{
    struct timetable timetable;
    int r;

    if (node->kind != NODE_LIST)
        return add_expression(reader, node, declaration);
    r = reader_list(reader, node, declaration, add_item);
    if (r < 0)
        return r;
    if (!declaration->schedule)
        return reader_refuse(reader, node, "must name a time");
    const char *wrong = timetable_read(declaration->schedule, &timetable);
    return wrong ? reader_refuse(reader, node, "%s", wrong) : 0;
}

/* ---- the mapping ----------------------------------------------------------------------------- */

static int read_at(struct reader *reader, const struct node *node, void *target)
{
    return read_expressions(reader, node, ((struct parsed *)target)->declaration);
}

static int read_time_zone(struct reader *reader, const struct node *node, void *target)
{
    struct parsed *parsed = target;

    parsed->zone_node = node;
    return reader_text(reader, node, &parsed->zone);
}

static int read_random_delay(struct reader *reader, const struct node *node, void *target)
{
    uint64_t *delay = &((struct parsed *)target)->declaration->schedule_delay_usec;
    int r = reader_duration(reader, node, delay);

    return r == 0 && *delay > SCHEDULE_DELAY_MAX
               ? reader_refuse(reader, node, "is longer than 366 days")
               : r;
}

static int read_persistent(struct reader *reader, const struct node *node, void *target)
{
    return reader_bool(reader, node, &((struct parsed *)target)->declaration->schedule_persistent);
}

static int read_overlap(struct reader *reader, const struct node *node, void *target)
{
    static const struct word words[] = {
        {"skip", OVERLAP_SKIP}, {"queue", OVERLAP_QUEUE}, {"replace", OVERLAP_REPLACE}, {}};
    int value, r = reader_word(reader, node, words, &value);

    if (r == 0)
        ((struct parsed *)target)->declaration->schedule_overlap = (enum schedule_overlap)value;
    return r;
}

/* The zone is resolved here: the core does not read files. */
static int find_zone(struct reader *reader, const struct node *node, const struct parsed *parsed)
{
    char text[ZONE_TEXT_MAX];
    int r = zone_file_read(parsed->zone, text);

    if (r < 0 && !parsed->zone)
        return reader_refuse(reader, node,
                             "/etc/localtime cannot be read: give a time_zone, such as UTC");
    if (r < 0) {
        reader_enter(reader, "time_zone");
        return reader_refuse(reader, parsed->zone_node, "no time zone is called \"%.60s\"",
                             parsed->zone);
    }
    parsed->declaration->schedule_zone = arena_copy(reader->arena, text, strlen(text));
    return parsed->declaration->schedule_zone ? 0 : -ENOMEM;
}

/* An expression alone, a list, or a mapping. */
int manifest_read_schedule(struct reader *reader, const struct node *node,
                           struct child_declaration *declaration)
{
    INVARIANT(declaration);
    static const struct key keys[] = {{"at", read_at},
                                      {"time_zone", read_time_zone},
                                      {"random_delay", read_random_delay},
                                      {"persistent", read_persistent},
                                      {"overlap", read_overlap},
                                      {}};
    struct parsed parsed = {.declaration = declaration};
    int r = node->kind == NODE_MAPPING ? reader_mapping(reader, node, keys, &parsed)
                                       : read_expressions(reader, node, declaration);

    if (r == 0 && !declaration->schedule)
        return reader_refuse(reader, node, "at is missing");
    return r == 0 ? find_zone(reader, node, &parsed) : r;
}
