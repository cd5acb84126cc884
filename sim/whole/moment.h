/*
 * Moment: what is done from outside when a moment of the story has come.
 */
#pragma once

#include "whole/whole.h"

void moment_happen(struct whole *whole, const struct moment *moment);
/* Of an observer: the answer to a command of the story, with what it must be. userdata: the whole.
 */
void moment_answered(struct whole *whole, const struct peer_call *call,
                     const struct bus_message *answer);
/* Each command of the story has its answer. */
void moment_check_answers(struct whole *whole);
