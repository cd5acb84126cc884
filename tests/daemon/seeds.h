/*
 * What the tests of the seeds (test_seed_000.c and the others) say in one word.
 */
#pragma once

#include "fixture.h"

/* A backoff that a test can wait for. */
#define FAST "backoff: {initial: 10ms, max: 1s, jitter: none}\n"

/* Steps of a child (child.c) in which @ stands for a file of the test's folder. */
char *seed_steps(struct fixture *f, const char *format, const char *file);
/* Adds a child that carries them out. */
void seed_add(struct fixture *f, const char *name, const char *yaml, const char *format,
              const char *file);

void seed_has_text(struct fixture *f, const char *child, const char *property,
                   const char *expected);
/* Of the last event of a kind. */
void seed_event_has(struct fixture *f, const char *kind, const char *child, const char *field,
                    const char *expected);

/* Shuts the tree down, and returns what came of it. */
GVariant *seed_shut_down(struct fixture *f);
