/*
 * Bus side: all that is around proctord on its bus in a simulated run: the broker, which may die
 * and come back, a polkit, and clients. Its runner calls it after anything has been sent, and
 * when the time has come that it asks for; it has no clock of its own.
 */
#pragma once

#include "bus/authority.h"
#include "bus/client.h"

struct bus_side {
    struct broker *broker; /* NULL: it is not there */
    uint32_t n_starts;     /* of the broker */
    bool is_deserted;      /* proctord has not come, and could */
    struct authority authority;
    struct client *clients;
};

void bus_side_init(struct bus_side *side, enum authority_manner manner, uint64_t delay_nsec);
void bus_side_free(struct bus_side *side);
void bus_side_add(struct bus_side *side, const struct client_plan *plan);

/* The broker comes up, and all join it. */
void bus_side_start(struct bus_side *side);
/* It dies. The sockets of others are to be closed. */
void bus_side_die(struct bus_side *side);

/* Returns whether anything was done: then there may be more to do. */
bool bus_side_run(struct bus_side *side, uint64_t now_nsec);
/* UINT64_MAX: nothing is due before something comes. */
uint64_t bus_side_next_nsec(const struct bus_side *side);

/* All have taken their turns and have their answers. */
bool bus_side_is_at_rest(const struct bus_side *side);
/* No call waits for its answer too long, and proctord is there; since_nsec: when it could come at
 * the earliest. */
void bus_side_check_answers(struct bus_side *side, uint64_t since_nsec, uint64_t now_nsec);
void bus_side_begin_check(struct bus_side *side);
/* What has been found wrong, or NULL. */
const char *bus_side_fault(const struct bus_side *side);
