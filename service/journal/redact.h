/*
 * Redact: something else in the place of each secret, the same for the same one: a reader of
 * redacted text can tell whether two were equal, as the core does, and nothing more.
 */
#pragma once

struct redactor;

/* NULL: no memory. */
struct redactor *redactor_new(void);
void redactor_free(struct redactor *redactor);

/* For archive.redact. "NAME=value" keeps its name. NULL: no memory. Valid as long as the redactor.
 */
const char *redactor_replace(void *redactor, const char *secret);
