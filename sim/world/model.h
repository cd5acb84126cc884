/*
 * Model: what a simulated process does, as a small program of steps.
 *
 * Steps run one after the other; a program that has no step left continues to run. Some words are
 * traits instead, which hold for the whole life of the process wherever they stand: how it takes a
 * cancel (`ignore-cancel`, `cancel-takes D`), an abort (`hang D`), and whether it leaves a second
 * process behind (`double-fork`).
 *
 *   ready, not-ready      says READY=1, READY=0
 *   beat                  one heartbeat; `beat every D` continues to beat
 *   run D                 does nothing for D
 *   exit N, die SIGNAL    ends; `oom` is killed for its memory
 *   wait NAME             continues when the scenario fires NAME
 *   wait cancel           continues when it is cancelled, and ends after its last step
 *   wait reload           continues when it gets its reload signal, or has got it since the last
 *   reloading since D     says RELOADING=1, and that it is so since D ago (0s: from now on)
 *   write-result BYTES    of a job: so much more of its result
 *   status TEXT, extend D, reloading, stopping, trigger   further messages of sd_notify(3)
 *   unhealthy, mute       from here on it fails health checks, or does not answer; `healthy` again
 *   ignore-cancel         a cancel does nothing
 *   cancel-takes D        it ends D after the cancel (default: at once)
 *   hang D                it survives an abort for D; bare `hang` for good
 *   double-fork           a second process lives on after the main one until it is told to go
 *   heeds SIGNAL          a further signal of its stop ends it at once
 *   left-takes D          which ends D after the stop signal (default: at once)
 *   left-ignores          which does not hear the stop signal
 *   reload-takes D        the commands of `reload` take D (default: no time); `reload-fails`
 *   stop-fails            a command of `stop` fails
 *   after-takes D         commands run for D when none of it is left; `after-fails`: one fails
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum step_kind {
    STEP_READY,
    STEP_NOT_READY,
    STEP_BEAT,
    STEP_BEAT_EVERY,
    STEP_RUN,
    STEP_EXIT,
    STEP_DIE,
    STEP_OOM,
    STEP_WAIT,
    STEP_WAIT_CANCEL,
    STEP_WAIT_RELOAD,
    STEP_STATUS,
    STEP_EXTEND,
    STEP_RELOADING,
    STEP_RELOADING_SINCE,
    STEP_STOPPING,
    STEP_TRIGGER,
    STEP_WRITE_RESULT,
    STEP_HEALTHY,
    STEP_UNHEALTHY,
    STEP_MUTE,
    STEP_IGNORE_CANCEL,
    STEP_CANCEL_TAKES,
    STEP_HANG,
    STEP_DOUBLE_FORK,
    STEP_LEFT_TAKES,
    STEP_LEFT_IGNORES,
    STEP_HEEDS,
    STEP_RELOAD_TAKES,
    STEP_RELOAD_FAILS,
    STEP_STOP_FAILS,
    STEP_AFTER_TAKES,
    STEP_AFTER_FAILS,
};

#define MODEL_FOREVER UINT64_MAX

struct step {
    enum step_kind kind;
    uint64_t number;  /* microseconds, an exit code or a signal */
    const char *word; /* NAME or TEXT */
};

struct model {
    const struct step *steps;
    size_t count;
};

struct traits {
    bool ignores_cancel;
    bool double_forks;
    bool left_ignores;
    bool reload_fails, stop_fails, after_fails;
    bool is_followed; /* by commands, when it is gone */
    int heeds;        /* a signal, or 0 */
    uint64_t reload_takes_usec, after_takes_usec;
    uint64_t left_takes_usec;
    uint64_t cancel_takes_usec;
    uint64_t hang_usec; /* 0: an abort ends it at once */
};

/* Reads one step. word points into text. Returns 0, or -EINVAL with *expected, constant text. */
int model_read_step(const char *text, struct step *step, const char **expected);

struct traits model_traits(const struct model *model);

/* Whether a step is one that takes its turn, and not a trait. */
bool model_step_runs(const struct step *step);
