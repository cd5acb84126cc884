/*
 * Call lists: the functions of all calls, from calls.def, and what their files share.
 */
#pragma once

#include "machine/call_memory.h"
#include "machine/thread_end.h"

typedef int64_t call_function(struct runner *runner, const uint64_t *arguments);

#define CALL(name) call_function call_##name;
#define CALL_AS(number, function)
#include "machine/calls.def"
#undef CALL
#undef CALL_AS

extern call_function call_cloned, call_left, call_mapped, call_missing, call_nothing;
