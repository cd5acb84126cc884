/*
 * Signal set: signals 1 to 64 as bits, and what a task does about each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SIGNALS 65 /* with the number 0, which is none */

typedef uint64_t signal_set; /* bit N - 1: signal N, as the kernel has it */

#define SIGNAL_BIT(signal) (UINT64_C(1) << ((signal)-1))

enum signal_disposition { SIGNAL_DEFAULT, SIGNAL_IGNORED, SIGNAL_HANDLED };

struct signal_action {
    enum signal_disposition disposition;
    void *handler; /* the caller's */
    int flags;     /* SA_NOCLDSTOP, SA_NOCLDWAIT, SA_RESETHAND, SA_NODEFER, SA_SIGINFO ... */
    signal_set mask;
};
