/*
 * Input archive: what came through the core's door (input.c), as a value that can be written down
 * and be handled again. The shell gets each before it is handled (core_ports.record), with
 * the two times that hold until its end; a core in the same state that handles the same inputs
 * comes to the same state, the same calls and the same events, on every machine.
 *
 * What is noted is the call, not what came of it: also one that was refused.
 */
#pragma once

#include "core/core.h"
#include "core/model/archive.h"

/* input_table.def has them, with what each carries and what handles it again. */
enum core_input_kind {
#define INPUT(kind, number, ...) kind = number,
#include "core/model/input_table.def"
#undef INPUT
    CORE_INPUTS, /* how many there are */
};

/* What an input of a kind must hold besides numbers; what is missing makes it unreadable. */
enum input_carries {
    CARRIES_NOTHING = 0,
    CARRIES_TREE = 1 << 0,
    CARRIES_REQUESTER = 1 << 1,
    CARRIES_REASON = 1 << 2,
    CARRIES_ORDER = CARRIES_REQUESTER | CARRIES_REASON, /* a client asked for it */
    CARRIES_TEXT = 1 << 3,
    CARRIES_COMMAND = 1 << 4,
    CARRIES_ATTEMPT = 1 << 5, /* it is about an attempt */
    CARRIES_END = 1 << 6,     /* of that attempt, or of its main process */
    CARRIES_MESSAGE = 1 << 7,
    CARRIES_RECOVERY = 1 << 8,
};

_Static_assert(CORE_INPUTS == 27, "an older proctord does not read a journal with a new kind");

/* The end of commands is written as the answer to a check with a number that no check has, so that
 * there is no new kind. */
#define COMMANDS_NUMBER UINT32_C(0x80000000)

/* Those fields that the kind has; the rest is 0. What is pointed to is valid during the call. */
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
    bool passed;     /* a check; durable; of a timer: the wall clock was set, too */
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

const char *core_input_kind_to_string(enum core_input_kind kind);
/* Whether the kind has one of these. */
bool core_input_carries(enum core_input_kind kind, enum input_carries what);

#define CORE_STATE_VERSION 3 /* of checkpoints */
#define CORE_STATE_OLDEST  2 /* that is read, too */
