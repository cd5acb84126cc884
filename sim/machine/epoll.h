/*
 * Epoll: a set of descriptions, and which of them are ready; level-triggered, edge-triggered and
 * one-shot.
 */
#pragma once

#include "machine/description.h"

#include <stdbool.h>
#include <sys/epoll.h>

/* NULL without memory. */
struct description *epoll_new(int flags);
bool epoll_is_one(const struct description *description);

/* As epoll_ctl(2) has it. */
int epoll_change(struct description *epoll, int operation, int number,
                 struct description *description, const struct epoll_event *event);

/* How many of them are ready; those that were told first are told last the next time. */
int epoll_collect(struct description *epoll, struct runner *asking, struct epoll_event *list,
                  int room);

/* The description is closed: it is in no set any more. */
void epoll_forget(const struct description *description);
