/*
 * Strike: a process of proctord's is killed, stopped or refused something at its Nth stop at a
 * system call, where each call has two: its entry and its return. So each moment at which it could
 * happen by chance is met once, by counting up.
 *
 *     for (guint n = 1, struck = TRUE; struck; n++) {
 *         strike_begin(spawner, STRIKE_SPAWNER, STRIKE_KILL, n);
 *         ... something that makes it work; see that all is well ...
 *         struck = strike_end();
 *     }
 */
#pragma once

#include <glib.h>

enum strike_whom {
    STRIKE_SPAWNER,     /* the one that runs; traced is its PID */
    STRIKE_NEW_SPAWNER, /* the next one that proctord starts; traced is proctord's */
    STRIKE_CHILD,       /* the next child of the spawner, until its exec; traced is the spawner's */
};

enum strike_how {
    STRIKE_KILL,
    STRIKE_STOP,
    STRIKE_REFUSE, /* ENOMEM, once; what nothing can be refused is left out */
    STRIKE_STARVE, /* EAGAIN, each clone from the Nth stop to the end */
    STRIKE_HOLD,   /* it has no processor for a while, and continues then */
};

/* Returns when it is under way; FALSE: that process is on its way out. */
gboolean strike_begin(GPid traced, enum strike_whom whom, enum strike_how how, guint n);
/* Lets everything run on. Whether it has come to the Nth stop. */
gboolean strike_end(void);
