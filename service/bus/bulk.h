/*
 * Bulk: answers about many things, made over several turns of the loop.
 *
 * An answer about ten thousand children takes a third of a second to encode, and other callers
 * would wait meanwhile. So it is made in slices of half a millisecond, between which the loop
 * continues. The first one is longer: an answer that fits into it is sent at once, like any other.
 *
 * A uid has one answer in the making, its other calls wait for it; a few uids have theirs at the
 * same time. When the next one begins is pace.h's to say. Bytes are counted as they are encoded:
 * one that is larger than what every bus takes is refused, as the bus would throw out proctord.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#define BULK_BYTES_MAX  (24u << 20) /* of one answer; the system bus takes 32 MiB by default */
#define BULK_AT_ONCE    4           /* in the making */
#define BULK_CALLS_MAX  256         /* that wait, those in the making included, */
#define BULK_PER_UID    16          /* so many of one uid, but for root and proctord's own */
#define BULK_SLICE_USEC 500         /* of an answer in the making, */
#define BULK_FIRST_USEC 4000        /* and the first of each */

#define BULK_LATER 2

struct service;
struct bulks;

/*
 * What an answer is made of. begin() is called when it is its turn, with an empty answer; step()
 * again and again: it appends one thing, and returns 1, or 0 when there are no more, BULK_LATER
 * when what it needs is not there yet, or a negative errno; end() closes what begin() has opened.
 * sent() is called right behind the answer. All have the data that was given, which release()
 * frees. What is NULL is not needed.
 */
struct bulk_maker {
    int (*begin)(struct service *service, sd_bus_message *answer, void *data);
    int (*step)(struct service *service, sd_bus_message *answer, void *data);
    int (*end)(struct service *service, sd_bus_message *answer, void *data);
    void (*sent)(struct service *service, sd_bus_message *call, void *data);
    void (*release)(void *data);
};

int bulks_new(struct service *service, struct bulks **bulks);
void bulks_free(struct bulks *bulks);
void bulks_reset(struct bulks *bulks); /* the connection is another one */

/* Answers a call, now or later. Releases the data in any case. Returns what a handler returns. */
int bulk_answer(struct service *service, sd_bus_message *call, const struct bulk_maker *maker,
                void *data, sd_bus_error *error);

/* All that is in the making is finished, and what has not begun is, too, or is refused after a
 * second of that: for when the program is replaced. */
void bulks_finish(struct bulks *bulks);

/* Calls visit() with the data of each answer of this maker that is in the making. */
void bulks_visit(struct bulks *bulks, const struct bulk_maker *maker,
                 void (*visit)(void *userdata, void *data), void *userdata);
