/*
 * Exit kind: what an end is called, by what had been asked for and what the declaration lists. It
 * is the first of the steps that follow an end (exit.h).
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>

struct child;
struct completion;
struct exit_codes;

bool exit_code_listed(const struct exit_codes *codes, int code);
enum exit_kind exit_kind_classify(const struct child *child, const struct completion *completion);

/* The Kill whose signal has ended it; otherwise the command that its stop is for; 0: none. */
uint64_t exit_kind_cause(const struct child *child, enum exit_kind kind, int signal);
