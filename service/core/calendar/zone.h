/*
 * Zone: what the wall clock of a place shows at a moment, as a text that needs no file.
 *
 *     CET-1CEST,M3.5.0,M10.5.0/3        the rule, as in TZ of POSIX
 *     @1711846800=7200 @1729990800=3600 EST5    moments from which another offset holds, then a
 * rule
 *
 * The second form is for places whose clocks follow no rule (Morocco's follow the moon): moments
 * and offsets are seconds, in order, and the rule holds after the last of them. A declaration keeps
 * this text, so that the core never reads a file, and what was due once is due again when a journal
 * is replayed on a machine with newer tables. zone_file.h makes it from the tables of this machine.
 *
 * Between two changes the offset is constant; zone_span() returns such a span.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ZONE_TEXT_MAX    4096
#define ZONE_CHANGES_MAX 200
#define ZONE_UTC         "UTC0"

/* A day of a year on which clocks change. */
struct zone_day {
    enum { ZONE_DAY_OF_MONTH, ZONE_DAY_JULIAN, ZONE_DAY_NUMBER } kind; /* Mm.w.d, Jn, n */
    int month, week, weekday;                                          /* weekday 0: Sunday */
    int day;
    int seconds; /* after its midnight, by the clock that ends; may be negative */
};

struct zone {
    struct {
        int64_t from;
        int offset;
    } changes[ZONE_CHANGES_MAX];
    int n_changes;
    int offset;     /* of the rule, east of Greenwich */
    bool has_other; /* and another one between the two days: */
    int other_offset;
    struct zone_day start, end;
};

struct zone_span {
    int64_t begin, end; /* moments; INT64_MIN and INT64_MAX: without */
    int offset;
    int offset_before; /* that of the span that ends at its begin */
};

/* Returns false for a text that is no zone. */
bool zone_read(const char *text, struct zone *zone);

int zone_offset(const struct zone *zone, int64_t moment);

/* The span of a constant offset in which a moment lies, as far as a few years around it. */
void zone_span(const struct zone *zone, int64_t moment, struct zone_span *span);
