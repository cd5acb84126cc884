/*
 * Clock: the machine's, that never goes back.
 */
#pragma once

#include <stdint.h>

uint64_t clock_now_usec(void);
