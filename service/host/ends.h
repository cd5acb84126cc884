/*
 * Ends: descriptors of one kind whose end is waited for, in an epoll of their own, so that the
 * event loop has one source for all of them: the handles of main processes, the sockets of
 * launches.
 *
 * sd-event calls epoll_wait(2) in each turn and handles one source. With a source for each
 * descriptor every turn would collect again all that are ready: when 10,000 children end together
 * that is 50 million looks at a handle. The epoll in between hands out one at a time.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

struct ends;

/* events: what is an end (EPOLLIN of a handle), besides EPOLLHUP. ended() is called in a turn of
 * its own for each, and again as long as the descriptor is watched. Returns 0 or a negative errno.
 */
int ends_new(sd_event *event, int64_t priority, uint32_t events, void (*ended)(void *data),
             struct ends **ends);
void ends_free(struct ends *ends); /* NULL is allowed */

/* Returns 0 or a negative errno. */
int ends_watch(struct ends *ends, int fd, void *data);
/* To be called before the descriptor is closed: a copy of it would keep the watch. */
void ends_forget(const struct ends *ends, int fd);
/* Closes a descriptor: where an end is being handled, behind that. What the end makes due (a start,
 * mostly) does not wait for it. watched: it is also to be forgotten. */
void ends_close(struct ends *ends, int fd, bool watched);
/* Tells of many that have ended, if not of all, without handling their ends. */
void ends_for_ready(struct ends *ends, void (*ready)(void *data, void *userdata), void *userdata);
