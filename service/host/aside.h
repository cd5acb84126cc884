/*
 * Aside: the commands that are run for a child once it has been started: for a reload, for a stop,
 * and when no process of its attempt is left. One list runs at a time, one command of it after the
 * other, each killed as a whole when it has ended or its time is over (errand.h).
 *
 *     idle -> runs (a command -> its processes go -> the next one) -> host->aside_over() -> idle
 *
 * The caller that begins a list limits its time, and process_aside_over() reports its end. What an
 * earlier proctord left of a list is killed, and the list begins again from its first command.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct errand;
struct process;
struct sd_event_source;

#define ASIDE_WHY_MAX 200

/* Of each process. */
struct aside {
    bool runs;
    enum child_commands kind;
    struct errand *errand; /* the command that runs; NULL: none does */
    size_t at;             /* its number, or that of the next one */
    uint32_t serial;       /* of all commands of the attempt: no two share a number */
    bool waits;            /* it has ended, and its processes are waited for */
    bool failed;
    bool ends;  /* no other command is run after it */
    bool again; /* the whole list, after that */
    struct sd_event_source *timer, *whole;
    char why[ASIDE_WHY_MAX]; /* it failed */
};

/* Whether the child has such commands. */
bool aside_has(const struct process *process, enum child_commands kind);
bool aside_runs(const struct process *process, enum child_commands kind);

/* Begins a list. whole_usec bounds all of it; 0: nothing does. host->aside_over() is called later,
 * also where nothing could be begun. */
void aside_begin(struct process *process, enum child_commands kind, uint64_t whole_usec);

/* It is to end now: what runs is killed, and host->aside_over() is called later. */
void aside_expire(struct process *process);

/* Its processes are gone: process->checks_left is 0. */
void aside_gone(struct process *process);

/* Kills what runs; it is not waited for, and nothing is called. */
void aside_forget(struct process *process);
