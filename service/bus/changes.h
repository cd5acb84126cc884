/*
 * Changes: what a reload, or a newer declaration of one child, comes to for each child, as an
 * answer.
 */
#pragma once

#include "bus/options.h"
#include "bus/private.h"

#define CHANGES_NAMED_MAX 4095 /* of a kind; more are only counted */

/* As they are called on the bus; `changed` has the three in the middle. */
enum { WORD_ADDED, WORD_IN_PLACE, WORD_PENDING, WORD_RESTART, WORD_REMOVED, CHANGE_WORDS };

struct changes {
    char *names[CHANGE_WORDS][CHANGES_NAMED_MAX];
    size_t n[CHANGE_WORDS];
};

/* changes: a struct changes, zeroed at first. what: one of the words. */
void changes_note(void *changes, const char *what, const char *id);
int changes_answer(struct service *service, sd_bus_message *m, const struct changes *changes,
                   uint32_t unchanged, const struct options *options, uid_t uid);
void changes_free(struct changes *changes);
