/*
 * Ports that do nothing: a clock that stands still, the C library's memory, and an executor that
 * does nothing.
 */
#pragma once

#include "core/core.h"

struct core_ports ports_of_nobody(void);
