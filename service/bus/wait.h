/*
 * Waiters: calls with `wait`, answered when the effect of their command is complete. They are
 * examined after each loop turn, and hold up nothing.
 *
 * Each has a deadline: that of its caller (`wait-usec`), else WAIT_DEFAULT_USEC. When it passes the
 * call is answered all the same, with the outcome as it is at that moment, `TimedOut`, and the name
 * of what it still waits for (`WaitsFor`). What was begun continues.
 *
 * wait_usec: of the options.
 */
#pragma once

#include "core/vocabulary/vocabulary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct archive;
struct child;
struct job;
struct outcome;
struct service;

#define WAITERS_MAX     4096
#define WAITERS_PER_UID 256
/* Of a call that cannot wait; what has been done all the same may be said behind it. */
#define WORDS_OF_(number) #number
#define WORDS_OF(number)  WORDS_OF_(number)
#define WAITERS_FULL                                                                               \
    "at most " WORDS_OF(WAITERS_MAX) " calls may wait, and " WORDS_OF(WAITERS_PER_UID) " of one "  \
                                                                                       "uid"

/* How long a call with `wait` waits: where its caller does not say, and at most. */
#define WAIT_DEFAULT_USEC (UINT64_C(3600) * 1000000)
#define WAIT_MOST_USEC    (UINT64_C(7) * 24 * 3600 * 1000000)

/* For the effect of a verb. Like the other functions here: 0, and the call is
 * answered later; -EXFULL if too many calls wait already; -ENOMEM. */
int wait_for_child(struct service *service, sd_bus_message *m, enum command_verb verb,
                   struct child *child, const struct outcome *outcome, uint64_t wait_usec);
/* The call is handled again when the record of the child has gone. */
int wait_until_gone(struct service *service, sd_bus_message *m, const struct child *child,
                    sd_bus_message_handler_t again, uint64_t wait_usec);
/* Until nothing more will come of the start: the child is up, or the start
 * failed or was withdrawn. */
int wait_for_start(struct service *service, sd_bus_message *m, struct child *child,
                   uint64_t wait_usec);
/* Each member's outcome is that of its moment; the answer comes when all are complete. */
int wait_for_scope(struct service *service, sd_bus_message *m, enum command_verb verb,
                   const struct outcome *outcomes, size_t count, uint64_t wait_usec);
/* Until the job is finished. */
int wait_for_job(struct service *service, sd_bus_message *m, const struct job *job);
/* The job has been forgotten: callers that wait for it get an error. */
void waiters_job_gone(struct service *service, const struct job *job);
/* Until the tree is down. */
int wait_for_shutdown(struct service *service, sd_bus_message *m, bool idempotent,
                      uint64_t wait_usec);
/* Until the next program has taken over, which then answers. */
int wait_for_reexecution(struct service *service, sd_bus_message *m);
/* The new program could not be executed: the callers get this error. */
void waiters_refuse_reexecution(struct service *service, const char *why);
/* For the next program: the calls themselves, and what each waits for. */
void waiters_archive(struct service *service, struct archive *archive);
/* Answers all calls whose wait is over. To be called after each turn of the
 * loop. */
void waiters_look(struct service *service);
/* The last moment at which outcomes can be read from the record of the child.
 */
void waiters_child_gone(struct service *service, struct child *child);
void waiters_free(struct service *service);
