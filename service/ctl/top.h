/*
 * Top: the children as a full-screen view. top.c reads keys and gives orders, top_rows.c knows the
 * children and what they did lately, top_screen.c draws.
 */
#pragma once

#include "ctl/client.h"

#define HISTORY 60  /* looks that are remembered for the little curves */
#define TEXT    128 /* of a question and its answer */

enum sort { SORT_TROUBLE, SORT_NAME, SORT_CPU, SORT_MEMORY, SORT_STARTS, SORTS };

struct top_host;

struct top_row {
    const char *host; /* NULL: this machine */
    char *id;         /* "": it stands for the host, of which nothing is known */
    char *state, *explanation;
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
    struct top_host *hosts; /* top_hosts.c; NULL: it is this machine */
    size_t n_hosts;
    struct top_row *rows;
    size_t count, active, failed, silent; /* silent: hosts, not children */
    char phase[32];                       /* of the shutdown */
    uint64_t looked_usec;
    enum sort sort;
    char filter[TEXT];
    struct {
        const char *host;
        char *id; /* NULL: there is none */
    } selected;
    size_t *shown; /* rows that pass the filter, in order */
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

/* The answer of a host to CurrentState. *looked_usec: when the one before came; 0: it is the first.
 */
int top_take(struct top *top, const char *host, sd_bus_message *reply, uint64_t *looked_usec);

/* Instead of its children there is one row, which says why. */
void top_take_none(struct top *top, const char *host, const char *state, const char *why);

void top_arrange(struct top *top); /* filter and order */
struct top_row *top_selected(struct top *top);
void top_select(struct top *top, long by); /* so many further down */
const char *top_sort_name(enum sort sort);
/* With all hosts and rows. */
void top_free(struct top *top);

/* The last line: an outcome, or what is wrong. */
void top_say(struct top *top, bool bad, const char *text);

/* top_hosts.c. Connects to all that are named; they are rows until they have answered. */
int top_hosts_open(struct top *top);
/* Looks at what each host has sent. */
void top_hosts_look(struct top *top);
bool top_hosts_turn(struct top *top); /* to that of the selected row; false: it cannot be asked */
void top_hosts_close(struct top *top);

/* top_screen.c */
int screen_open(const struct client *client);
/* The whole screen; ncurses sends what has changed. */
void screen_draw(struct top *top);
size_t screen_rows(const struct top *top); /* how many fit */
void screen_close(void);
