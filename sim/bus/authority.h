/*
 * Authority: a polkit of the simulator. It says yes or no, at once, late or never, says nonsense,
 * or dies of the question.
 */
#pragma once

#include "bus/peer.h"

enum authority_manner {
    AUTHORITY_ABSENT, /* not on the bus */
    AUTHORITY_SAYS_YES,
    AUTHORITY_SAYS_NO,
    AUTHORITY_WANTS_A_PASSWORD,
    AUTHORITY_IS_SILENT,
    AUTHORITY_TALKS_NONSENSE,
    AUTHORITY_DIES,
    AUTHORITY_MANNERS
};

const char *authority_manner_to_string(enum authority_manner manner);

struct authority_question {
    struct authority_question *next;
    uint64_t due_nsec;
    uint32_t serial;
    char sender[32];
};

struct authority {
    struct peer peer;
    enum authority_manner manner;
    uint64_t delay_nsec; /* before each answer */
    uint64_t now_nsec;
    struct authority_question *questions;
    uint32_t n_asked;
};

/* delay_nsec: the time between a question and its answer. */
void authority_init(struct authority *authority, enum authority_manner manner, uint64_t delay_nsec);
/* The bus is there, or NULL: it has gone. */
void authority_join(struct authority *authority, struct broker *broker);
/* Leaves the bus. Questions that are open get no answer from it. */
void authority_end(struct authority *authority);
/* Takes what has come and answers what is due. Returns whether it has done anything. */
bool authority_run(struct authority *authority, uint64_t now_nsec);
/* UINT64_MAX: it waits for nothing. */
uint64_t authority_next_nsec(const struct authority *authority);
