/*
 * Top: the children as a full-screen view. top.c reads keys and gives orders, top_rows.c knows the
 * children and what they did lately, top_screen.c draws.
 */
#pragma once

#include "client.h"

#define HISTORY 60  /* looks that are remembered for the little curves */
#define TEXT    128 /* of a question and its answer */

enum sort { SORT_NAME, SORT_STATE, SORT_CPU, SORT_MEMORY, SORT_STARTS, SORTS };

struct top_row {
    char *id, *state, *explanation;
    bool good, bad; /* as it should be; held, given up or failed */
    uint32_t pid;
    uint64_t started_usec; /* CLOCK_REALTIME; 0: not now */
    uint64_t cpu_nsec, memory;
    uint64_t attempt;
    double cpu; /* of one processor, 1 is all of it; < 0: not known yet */
    float cpu_then[HISTORY];
    uint16_t starts_then[HISTORY]; /* starts within that look; the newest is the last */
    bool seen;                     /* in the present look */
};

struct top {
    struct client *client;
    struct top_row *rows;
    size_t count, active, failed;
    char phase[32]; /* of the shutdown */
    uint64_t looked_usec;
    enum sort sort;
    char filter[TEXT];
    char *selected; /* id */
    size_t *shown;  /* rows that pass the filter, in order */
    size_t n_shown, offset;
    size_t fit; /* rows that the screen has room for; the screen says so */
    bool details;
    char *events;      /* of the selected one, with details */
    char message[512]; /* the last outcome, or what is wrong */
    bool bad_message;
    const char *prompt; /* something is being asked; NULL: no */
    char answer[TEXT];
    bool help;
};

/* top_rows.c. Reads all again; returns a negative errno where the connection has gone. */
int top_look(struct top *top);
void top_arrange(struct top *top); /* filter and order */
struct top_row *top_selected(struct top *top);
void top_select(struct top *top, long by); /* so many further down */
const char *top_sort_name(enum sort sort);
void top_free(struct top *top);

/* The last line: an outcome, or what is wrong. */
void top_say(struct top *top, bool bad, const char *text);

/* top_screen.c */
int screen_open(const struct client *client);
void screen_draw(struct top *top);
size_t screen_rows(const struct top *top); /* how many fit */
void screen_close(void);
