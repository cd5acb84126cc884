/*
 * Input: what came through the core's door, as a value that can be written down and be handled once
 * more. The shell is told of each before it is handled (core_ports.record), with the two times that
 * hold until its end; a core in the same state that handles the same inputs comes to the same
 * state, the same calls and the same events, on every machine.
 *
 * What is noted is the call, not what came of it: also one that was refused.
 */
#pragma once

#include "core/core.h"
#include "core/model/archive.h"

/* The numbers stand in journals: they never change, and a new one is appended. */
enum core_input_kind {
    CORE_INPUT_DECLARE = 0,
    CORE_INPUT_CHECK = 1, /* it changes nothing but which slot comes next */
    CORE_INPUT_REDECLARE = 2,
    CORE_INPUT_REDECLARE_SUPERVISOR = 3,
    CORE_INPUT_DISCARD_SUPERVISOR = 4,
    CORE_INPUT_COMMAND = 5,
    CORE_INPUT_COMMAND_SCOPE = 6,
    CORE_INPUT_SHUTDOWN = 7,
    CORE_INPUT_HURRY = 8,
    CORE_INPUT_SPAWNED = 9,
    CORE_INPUT_SPAWN_FAILED = 10,
    CORE_INPUT_COMPLETED = 11,
    CORE_INPUT_NOTIFY = 12,
    CORE_INPUT_CHECKED = 13,
    CORE_INPUT_TIMER = 14,
    CORE_INPUT_ANNOUNCE = 15,
    CORE_INPUT_REJECTED = 16,
    CORE_INPUT_RUN_JOB = 17,
    CORE_INPUT_FORGET_JOB = 18,
    CORE_INPUT_MAX_JOBS = 19,
    CORE_INPUT_RECOVERED = 20,
    CORE_INPUT_DURABILITY = 21,
    CORE_INPUT_REEXECUTE = 22,
    CORE_INPUT_REOPEN = 23,
    CORE_INPUT_START_DELAYED = 24,
    CORE_INPUT_MAIN_EXITED = 25,
    CORE_INPUT_REMOVE = 26,
    CORE_INPUTS, /* how many there are */
};

_Static_assert(CORE_INPUTS == 27, "an older proctord does not read a journal with a new kind");

/* Those fields that the kind has; the rest is 0. What is pointed to is valid while it is told. */
struct core_input {
    enum core_input_kind kind;
    uint64_t monotonic_usec, realtime_usec;
    struct tree_declaration tree;
    const char *requester, *reason;
    struct command command;
    struct attempt_id id;
    uint32_t pid;
    int error;
    struct completion completion;
    struct notify_message message;
    uint32_t number; /* of a health check; how many jobs; enum redeclare_how */
    bool passed;
    enum same_name same_name;
    uint64_t job;
    const char *text; /* version, or why, or the path of a supervisor, or ids */
    struct recovery recovery;
    uint64_t timeout_usec; /* of a shutdown, for the whole; 0: none */
};

/* Writes it, or reads it. Reading: valid as long as the archive's memory. */
void input_archive(struct archive *archive, struct core_input *input);
void completion_archive(struct archive *archive, struct completion *completion);
void attempt_id_archive(struct archive *archive, struct attempt_id *id);

/* Handles it once more, at its own times. */
void core_replay(struct core *core, const struct core_input *input);

const char *core_input_kind_to_string(enum core_input_kind kind);
/* It is about an attempt: it has an id. */
bool core_input_is_report(enum core_input_kind kind);
bool core_input_tells_an_end(enum core_input_kind kind); /* of an attempt, or its main process */

#define CORE_STATE_VERSION 3 /* of checkpoints */
#define CORE_STATE_OLDEST  2 /* that is read, too */

/*
 * A checkpoint: the whole state of a core, without what the shell has hung on it. Reading fills in
 * a core that core_new() has just made, and returns -EBADMSG, with the core only fit to be freed,
 * where the bytes cannot be right; -ENOMEM. The core's time is at least
 * that of the latest moment that it tells of.
 */
int core_archive(struct core *core, struct archive *archive);
