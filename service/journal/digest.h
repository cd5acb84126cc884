/*
 * Digest: one number for all that a core knows. Two cores with the same one are the same, but for
 * an accident of 64 bits; of two that are not, it says nothing about where.
 */
#pragma once

#include "core/model/archive.h"

struct core;

/* redact: as in struct archive, or NULL. The core must not be handling an input. False: no memory.
 */
bool digest_core(struct core *core, const char *(*redact)(void *redactor, const char *secret),
                 void *redactor, uint64_t *digest);

/* FNV-1a, 64 bits; begins with 0. */
uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t size);
