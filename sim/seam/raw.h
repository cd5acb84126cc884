/*
 * Raw: the only system calls that a simulated process really makes.
 *
 * The instructions lie in a section of their own, whose addresses the filter lets through; all
 * others become SIGSYS.
 */
#pragma once

#include "seam/wire.h"

extern const char raw_first[], raw_last[];

/* Returns what the kernel returns: a negative errno where it fails. */
long raw(long number, long a, long b, long c, long d, long e, long f);

/* clone(2) of a child that begins with `begin` on the given stack, and continues with the registers
 * that it returns and 0 in that of results. */
long raw_clone(long flags, long stack, long tls, struct wire_slot *slot,
               uint64_t *(*begin)(struct wire_slot *slot));

/* rt_sigreturn(2), for the handler of the seam. */
void raw_return(void);

/* Ends the thread without a stack: from the mark on it is its owner's. */
__attribute__((noreturn)) void raw_end(_Atomic uint32_t *mark);
