/*
 * Words: what people are told, as docs/dbus.md and docs/manual.md quote it: why an exit was one,
 * why a child is given up, and what stands in the way of a start. Texts are kept in the world, each
 * once, so that a record can point to them.
 */
#pragma once

#include "reference/reference.h"

#define REF_WORDS_MAX 640 /* bytes of a text, with its end */

/* The same text, which is valid for as long as the world is. */
const char *ref_keep(struct ref *r, const char *text);
const char *ref_say(struct ref *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* At most so many bytes of it, as a record has room for. */
const char *ref_keep_short(struct ref *r, const char *text, size_t bytes);

/* Of the last exit; why the limit of a child, of its group or of a supervisor is used up. */
const char *ref_exit_words(struct ref *r, const struct ref_child *c,
                           const struct completion *completion);
const char *ref_give_up_words(struct ref *r, const struct ref_child *c, bool fatal, bool within);
const char *ref_fuse_words(struct ref *r, const struct ref_child *c);
const char *ref_meltdown_words(struct ref *r, uint32_t s, const struct ref_child *c);

/* Why a restart, or a resume that would be one, is refused. */
const char *ref_hold_words(const struct ref_child *c);
const char *ref_lack_words(struct ref *r, const char *id);
