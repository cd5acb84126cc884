/*
 * Command id: the name that a caller gets for its command, and finds it by later in events, in the
 * audit and in the log: "70a08124-2".
 *
 * The core numbers its commands from 1. The instance before the number keeps those of different
 * histories apart: it is drawn when a history begins, and stays with it in the journal, so that a
 * command is called the same after a recovery or a re-execution.
 */
#pragma once

#include <stdint.h>

#define COMMAND_ID_SIZE 32 /* bytes of its text, with the terminator */

struct command_id {
    uint32_t instance;
    uint64_t number; /* 0: no command */
};

/* "" where there is no command. */
void command_id_text(struct command_id id, char text[COMMAND_ID_SIZE]);

/* Returns 0 or -EINVAL. */
int command_id_parse(const char *text, struct command_id *id);
