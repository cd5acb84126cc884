/*
 * Changes: what a reload, or a newer declaration of one child, comes to for each child, as an
 * answer.
 */
#pragma once

#include "bus/options.h"
#include "bus/private.h"

#define CHANGES_NAMED_MAX 4095 /* of a kind; more are only counted */

/* As they are called on the bus; `changed` has the three that are not added or removed. A dry run
 * tells besides whose processes it would touch. */
enum {
    WORD_ADDED,
    WORD_IN_PLACE,
    WORD_PENDING,
    WORD_RESTART,
    WORD_REMOVED,
    WORD_WOULD_STOP,
    WORD_WOULD_START,
    WORD_WOULD_RESTART,
    CHANGE_WORDS
};

struct changes {
    char *names[CHANGE_WORDS][CHANGES_NAMED_MAX];
    size_t n[CHANGE_WORDS];
};

/* changes: a struct changes, zeroed at first. what: one of the words. */
void changes_note(void *changes, const char *what, const char *id);
void changes_note_start(void *changes, const char *id); /* of a struct plan_visitor */
/* A restart of a child, and of those of its sidecars that go with it. */
void changes_note_restart(struct changes *changes, const struct core *core, const char *id);
int changes_answer(struct service *service, sd_bus_message *m, const struct changes *changes,
                   uint32_t unchanged, const struct options *options, uid_t uid);
void changes_free(struct changes *changes);
