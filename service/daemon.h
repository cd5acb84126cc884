/*
 * Daemon: what one proctord consists of. main.c puts it together; bus_wait.c has its start wait for
 * the bus for a moment, and reexecution.c has another program take its place.
 */
#pragma once

#include "command_line.h"
#include "history.h"
#include "handover/program.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct core;
struct error;
struct handover;
struct host;
struct metrics_socket;
struct private_bus;
struct service;
struct signals;

struct daemon {
    struct command_line line;
    sd_event *event;
    struct signals *signals;
    struct host *host;
    struct service *service;
    struct core *core;
    struct private_bus *bus;
    struct history history;
    int locks[2];
    uint64_t descriptors; /* the soft limit that it was started with */
    bool ending;
    bool started;      /* what there is to be started has been */
    bool told_address; /* of the private bus, to the program that has started us */
    struct program program;
    struct handover *handover; /* of the program that was here before, until all of it is read */
    sd_event_source *reexecution;
    int inquiries;                 /* into the program on disk, under way */
    bool reexecutes;               /* as soon as the bus has everything */
    int handovers;                 /* that were begun for it */
    sd_event_source *beside_timer; /* until what is beside the loop has come back for it */
    uint64_t beside_until_usec;    /* and how long that may take */
    struct manifest_loads *loads;
    sd_event_source *watchdog;      /* of the service manager that we are a service of */
    struct manifest_set *returning; /* has children whose records have to go first */
    struct manifest_request *return_request;
    sd_event_source *return_source;     /* one of them may have gone */
    sd_event_source *reload_source;     /* the manifests could not be read when it began */
    struct metrics_socket *metrics;     /* on a Unix socket, */
    struct metrics_socket *metrics_tcp; /* and one of IP */
    struct sink *output;                /* standard output; NULL: nothing was said there */
    int metrics_descriptor;             /* as it was handed over, until it is used; -1 */
};
