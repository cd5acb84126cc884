/*
 * Authorisation: who may change something here. Root and the user that proctord runs as may; for
 * every other caller polkit is asked, again for each call, with the caller's name on the bus as the
 * subject: a PID could be another process's by the time that it is examined. The answer comes
 * later: the call is kept, and comes again through the front door once there is one. See polkit(8).
 *
 * authorise() returns 0 when the caller may, 1 when polkit has been asked and the call will come
 * again, or the refusal.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

struct archive;
struct caller;
struct service;

#define QUESTIONS_MAX     1024 /* calls for which polkit is asked */
#define QUESTIONS_PER_UID 32

/* What polkit is asked about. */
struct permission {
    const char *action; /* one of those below */
    const char *verb;
    const char *child;  /* id or path; NULL: of the whole */
    const char *option; /* that only this has: `restart`, `timeout-usec`; NULL: none */
};

#define MAY_MANAGE      "org.proctor1.manage-children"
#define MAY_QUARANTINE  "org.proctor1.quarantine"
#define MAY_CHANGE_TREE "org.proctor1.change-tree"
#define MAY_RUN_JOBS    "org.proctor1.run-jobs"
#define MAY_SHUT_DOWN   "org.proctor1.shutdown"

int authorise(struct service *service, sd_bus_message *m, const struct caller *caller,
              const struct permission *wanted, sd_bus_error *error);
void questions_archive(struct service *service, struct archive *archive);
void questions_free(struct service *service);
