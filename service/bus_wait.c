/*
 * Waiting for the bus at the start: whether the name can be had decides whether
 * proctord starts at all, if nothing is running yet.
 */
#include "bus_wait.h"

#include "daemon.h"
#include "host/host.h"
#include "log/log.h"
#include "bus/private_bus.h"
#include "bus/service.h"
#include "log/sink.h"
#include "system/upward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define TELL_TRIES 3
#define BUS_USEC   2000000 /* how long a start waits for what the bus has to say */

/* The program that has started us may wait for it, or may never read it. */
static void tell_address(struct daemon *daemon)
{
    const char *address = private_bus_address(daemon->bus);
    char *line = NULL;
    int size = asprintf(&line, "bus: %s\n", address);
    bool told = false;

    if (!daemon->output)
        daemon->output = sink_open(STDOUT_FILENO);
    if (daemon->output)
        sink_attach(daemon->output, daemon->event);
    for (int i = 0; daemon->output && size > 0 && !told && i < TELL_TRIES; i++) {
        uint64_t lost = sink_lost(daemon->output);
        sink_put(daemon->output, line, (size_t)size);
        told = sink_lost(daemon->output) == lost;
    }
    free(line);
    if (!told)
        log_print(LOG_ERR, "the bus is %s: standard output cannot be written", address);
}

static void came(void *userdata)
{
    struct daemon *daemon = userdata;

    if (daemon->started && daemon->line.private_bus && !daemon->told_address)
        tell_address(daemon);
    daemon->told_address |= daemon->started;
    if (daemon->started)
        upward_say("STATUS=", -1);
}

static void troubled(void *userdata)
{
    const struct daemon *daemon = userdata;
    const char *trouble;

    service_reach(daemon->service, &trouble);
    if (daemon->started)
        upward_sayf("STATUS=Waiting for the bus: %s", trouble[0] ? trouble : "it does not answer");
}

static void silent(void *userdata)
{
    const struct daemon *daemon = userdata;

    if (daemon->line.private_bus)
        private_bus_replace(daemon->bus);
}

void bus_wait_attach(struct daemon *daemon)
{
    struct service_bus_hooks hooks = {
        .userdata = daemon, .came = came, .troubled = troubled, .silent = silent};

    service_on_bus(daemon->service, &hooks);
}

static void private_bus_is_gone(void *userdata)
{
    struct daemon *daemon = userdata;
    private_bus_ended(daemon->bus);
}

void bus_wait_private_spawned(void *userdata, pid_t pid)
{
    struct daemon *daemon = userdata;
    host_spare(daemon->host, pid, private_bus_is_gone, daemon);
}

void bus_wait_private_up(void *userdata)
{
    struct daemon *daemon = userdata;
    service_connect(daemon->service);
}

/* What the bus says first is worth a short while: whether another proctord has our name on it, and
 * that a program that is told that we are ready can call. The loop turns meanwhile. */
void bus_wait_listen(struct daemon *daemon)
{
    uint64_t now = 0, end;
    const char *trouble;

    sd_event_now(daemon->event, CLOCK_MONOTONIC, &end);
    end += BUS_USEC;
    while (service_reach(daemon->service, &trouble) == SERVICE_ASKS && now < end &&
           !private_bus_trouble(daemon->bus) &&
           sd_event_get_state(daemon->event) == SD_EVENT_INITIAL) {
        if (sd_event_run(daemon->event, now > 0 ? end - now : BUS_USEC) < 0)
            return;
        sd_event_now(daemon->event, CLOCK_MONOTONIC, &now);
    }
}

/* A proctord that is started by mistake beside another one, or where there is no dbus-daemon, must
 * not start its children. */
int bus_wait_claim(struct daemon *daemon)
{
    const char *trouble;

    bus_wait_listen(daemon);
    if (private_bus_trouble(daemon->bus)) {
        log_say("proctord: the private bus: %s", private_bus_trouble(daemon->bus));
        return -ENOENT;
    }
    if (service_reach(daemon->service, &trouble) != SERVICE_TAKEN)
        return 0;
    log_say("proctord: the bus is available, but %s", trouble);
    return -EEXIST;
}

void bus_wait_tell_ready(struct daemon *daemon)
{
    const char *trouble;

    daemon->started = true;
    if (service_reach(daemon->service, &trouble) == SERVICE_UP)
        came(daemon);
    else
        troubled(daemon);
    upward_say("READY=1", -1);
}
