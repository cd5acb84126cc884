/*
 * Invariants of the core.
 *
 * They stay on in release builds: a supervisor that has lost its own rules is worse than one that
 * ends and is started again. A mistake from outside (a bad manifest, an unknown child, a stale
 * report) is never an invariant; it is an error value.
 */
#pragma once

#define INVARIANT(condition) ((condition) ? (void)0 : __builtin_trap())
