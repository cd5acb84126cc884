/*
 * Journal trace: the journal as it is at one moment, for others' eyes: the newest segment, without
 * what may be secret, and what the core is behind it.
 *
 * The loop only notes how far the segment goes, and writes down the core as a checkpoint does. The
 * rest (to read the segment, to replace the secrets, to sum up the core) takes as long as there are
 * children, and is done beside the loop, by one thread.
 */
#pragma once

struct core;
struct journal;
struct journal_trace;

/* To be called between inputs. Returns 0 or a negative errno. */
int journal_trace_begin(const struct journal *journal, struct core *core,
                        struct journal_trace **trace);
/* Beside the loop, once: a sealed memory file, the caller's; or a negative errno. */
int journal_trace_make(struct journal_trace *trace);
void journal_trace_free(struct journal_trace *trace); /* NULL is allowed */
