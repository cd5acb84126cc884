/*
 * Whole: one run of the whole daemon: the machine, the model children, the bus, what is done to
 * proctord from outside, and what is checked. A story and the choices of a schedule determine it.
 */
#pragma once

#include "whole/journald.h"
#include "whole/promise.h"
#include "whole/story.h"
#include "whole/watch.h"

enum whole_phase { WHOLE_RUNS, WHOLE_ENDS, WHOLE_OVER };

struct whole {
    struct machine *machine;
    struct schedule *schedule;
    const struct story *story;
    struct habits habits;
    struct watch watch;
    struct promises promises;
    struct client_observer observer;
    struct bus_plug *bus;
    struct journald *journald;
    struct task *proctord; /* a reference; NULL: it is not there */
    enum whole_phase phase;
    size_t moment;         /* the next */
    uint64_t base_nsec;    /* the run's clock is the machine's, less this */
    uint64_t started_nsec; /* when proctord was started last, on the machine's clock */
    bool has_come_up;      /* it, or the program that it has executed, has waited in its loop */
    uint64_t start_nsec;   /* when proctord is started again; MACHINE_NEVER */
    uint64_t kill_calls;   /* SIGKILL in so many calls; 0: no */
    uint64_t ends, starts; /* of proctord */
    bool lost_power;
    bool is_changed;          /* the manifest */
    bool is_told;             /* to end */
    bool is_stopped;          /* told to end, and to be started again */
    bool is_last;             /* the last moment is over: it ends by itself */
    unsigned executions;      /* of proctord by itself: upgrades */
    unsigned asked, answered; /* commands of the story */
    const char *hanging;      /* a folder that does not answer; NULL: none */
    size_t descriptors;       /* that were remembered, */
    size_t at_rest;           /* those of them that lead to no helper, */
    uint64_t launches, ended; /* and how many programs had begun and ended by then */
    bool had_bus;
    FILE *told;
};

struct whole_result {
    bool failed;
    char why[256];
    uint64_t hash, calls, nsec; /* virtual time */
    uint64_t proctords, starts, signals, kills, promises;
};

struct whole_settings {
    struct guest *guest;
    struct schedule *schedule;
    const struct story *story;
    FILE *told;       /* all calls; or NULL */
    bool tell_output; /* what proctord has written, to told */
};

void whole_run(const struct whole_settings *settings, struct whole_result *result);
