/*
 * Bus plug: the broker and its clients (bus/bus_side.h) behind a socket of the machine. The broker
 * dies and comes back, and is heard of by proctord as a dbus-daemon is: the socket hangs up, nobody
 * listens at its name, and then one does.
 */
#pragma once

#include "bus/bus_side.h"
#include "machine/machine.h"

#define BUS_CLIENTS 4

/* What a story says of the bus. */
struct bus_story {
    bool absent; /* there is none, ever */
    enum authority_manner authority;
    uint64_t authority_delay_nsec;
    struct bus_client_story {
        enum client_habit habit;
        uint32_t uid, turns;
        uint64_t begin_nsec, pause_nsec; /* since the start of the run */
    } clients[BUS_CLIENTS];
    uint32_t n_clients;
};

struct bus_plug;

/* story, observer: the caller's. The broker is not there yet. */
struct bus_plug *bus_plug_new(struct machine *machine, struct schedule *schedule,
                              const struct bus_story *story,
                              const struct client_observer *observer);
void bus_plug_free(struct bus_plug *plug);

/* Nothing happens if it is there already, or never is. */
void bus_plug_start(struct bus_plug *plug);
/* It dies, or goes with the power. */
void bus_plug_die(struct bus_plug *plug);
bool bus_plug_is_there(const struct bus_plug *plug);

/* It takes what comes, and answers nothing. */
void bus_plug_set_mute(struct bus_plug *plug, bool mute);
bool bus_plug_is_mute(const struct bus_plug *plug);
bool bus_plug_has_proctord(const struct bus_plug *plug); /* it has its name */

/* By the client that is asked; about: given to the observer. False: it is not on the bus. */
bool bus_plug_order(struct bus_plug *plug, const char *member, const char *child,
                    const char *reason, const struct verb_options *options, const void *about);
/* What the client that listens knows of a child; "not known" else. */
void bus_plug_property(const struct bus_plug *plug, const char *child, const char *name,
                       char *value, size_t size);

/* Carries bytes, lets clients act, and fails the machine for what they have found. True: something
 * has moved. */
bool bus_plug_pump(struct bus_plug *plug);
/* When a client wants to act; MACHINE_NEVER. */
uint64_t bus_plug_next(const struct bus_plug *plug);

/* Each call has its answer by now, and proctord has come. since_nsec: when it was started. */
void bus_plug_check_answers(struct bus_plug *plug, uint64_t since_nsec);
/* Nothing more is to come: clients that listen compare what they know. */
void bus_plug_begin_check(struct bus_plug *plug);
