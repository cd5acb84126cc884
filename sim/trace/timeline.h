/*
 * Timeline: a run as a picture: a lane for each child, attempts as bars, fences and waits between
 * them, and marks for what was asked, delivered, lost or refused.
 *
 * It is made of a run's records (world/record.h) and of nothing else; the page that it writes
 * carries everything within it and needs no network.
 */
#pragma once

#include "world/record.h"

#include <stdio.h>

struct timeline;

struct timeline *timeline_new(void);
void timeline_free(struct timeline *timeline);

/* An observer for struct run; userdata is the timeline. */
void timeline_record(void *userdata, const struct record *record);

/* When the run is over: closes what is open. */
void timeline_end(struct timeline *timeline, uint64_t end_nsec);

/* A page that needs nothing else; title and verdict are its heading. */
void timeline_write_html(const struct timeline *timeline, FILE *file, const char *title,
                         const char *verdict);
/* A picture without scripts. */
void timeline_write_svg(const struct timeline *timeline, FILE *file, const char *title,
                        const char *verdict);
/* JSON for Perfetto and Chrome's tracing. */
void timeline_write_perfetto(const struct timeline *timeline, FILE *file);
/* A Gantt diagram in Mermaid. */
void timeline_write_mermaid(const struct timeline *timeline, FILE *file, const char *title);
