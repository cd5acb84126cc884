/*
 * Keep: descriptors that outlive proctord, by name, in the service manager's file descriptor store
 * (FDSTORE=1 of sd_notify(3), FileDescriptorStoreMax= of systemd.service(5)). A proctord that is
 * started after one that died gets them back (sd_listen_fds(3)): the notify socket with what was
 * said meanwhile, the sockets of children that do not run, the pipes, and the pidfds, which name
 * their processes without a doubt. A program that takes the place of another (handover.h) gets the
 * same under the same names.
 *
 * A NULL keep, and one that is not to store, keeps nothing; what was handed over can be taken
 * all the same.
 */
#pragma once

#include "core/core.h"

#define KEEP_NAME_MAX 160

struct handover;
struct keep;

/* store: whether to ask the service manager. handover: NULL, or what it is read from. Returns 0 or
 * -ENOMEM. */
int keep_open(bool store, struct handover *handover, struct keep **keep);
void keep_close(struct keep *keep);

/* "proctor.KIND.SLOT.SERIAL.NUMBER": of a child, and of one of several things that it has. */
void keep_name(char name[KEEP_NAME_MAX], const char *kind, const struct attempt_id *id,
               uint64_t number);

/* One that was handed over; from now on the caller's. -ENOENT: there is none. */
int keep_take(struct keep *keep, const char *name);

/* The first one whose name begins so, by their order as text; name becomes its own. */
int keep_take_next(struct keep *keep, const char *prefix, char name[KEEP_NAME_MAX]);

/* A copy goes into the store, in the place of what has the name there. */
void keep_put(struct keep *keep, const char *name, int fd);
void keep_drop(struct keep *keep, const char *name);
/* Only to be handed over. */
void keep_hand(struct keep *keep, const char *name, int fd);

/* Between the two, keep_put() does not store: what is put is handed over. */
void keep_begin_handover(struct keep *keep);
void keep_end_handover(struct keep *keep, struct handover *handover);

/* What has not been taken is closed and dropped. */
void keep_settle(struct keep *keep);
