/*
 * Pace: a user that calls much more than others is answered slowly, as long as there are others.
 *
 * It is the token bucket of network queues, with time as its tokens. Each uid has a debt, the time
 * that its calls have cost, whichever connections they came from, and pays it back: half of the
 * time is for all uids, in equal parts. Those that owe too much all the same share one tenth of the
 * time until they have paid; while they do, and another user calls too, their calls wait here, and
 * come in again as they are paid for. Within a uid each connection has a debt of its own by the
 * same rule, so that one client of a user does not hold up the others. Root and proctord's own user
 * are measured by connection alone. A client that is alone is never held up.
 *
 * Answers about many objects (bulk.h) are accounts of their own, by uid alone: a connection costs
 * nothing. What they cost is made of the time to encode them and of that of the bus to pass them
 * on, and while other clients call, a uid that owes for such answers gets the next one when the
 * last is paid: a thirty-second part of the time is for them.
 *
 * The tables are bounded. Connections that find no place are measured together with others of their
 * uid, uids that find none with other uids: nothing is ever free.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#define TALKERS_MAX     512 /* connections that are measured one by one, */
#define TALKERS_PER_UID 128 /* so many of one uid */
#define ACCOUNTS_MAX    128 /* uids */
#define WAITING_MAX     64  /* calls of one connection */

struct pace;
struct service;

/* Returns 0 or a negative errno. */
int pace_new(struct service *service, struct pace **pace);
int pace_watch(struct pace *pace, sd_bus *bus);
void pace_turn(struct pace *pace); /* after each turn of the loop */

/* Lets calls that wait come in again, and none wait from then on, until pace_close(). Returns
 * whether there are more than fit at once. */
bool pace_open(struct pace *pace);
void pace_close(struct pace *pace);

void pace_reset(struct pace *pace); /* the connection is another one */
void pace_free(struct pace *pace);

/* Whether a uid may have the next answer about many objects now, and what one has cost. */
bool pace_may_begin(struct pace *pace, uid_t uid);
void pace_charge(struct pace *pace, uid_t uid, uint64_t usec);

/* The call that is handled now costs more than its time: others are asked about it. */
void pace_add(struct pace *pace, uint64_t usec);
#define PACE_QUESTION_USEC UINT64_C(500)

/* The call that is handled now asks for many objects: it is no reason to hold up others. */
void pace_is_bulk(struct pace *pace);
