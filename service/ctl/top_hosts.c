/*
 * Top over several hosts. Each one is asked by itself and never waited for: one that hangs or is
 * gone is a row that says so, and is tried again.
 */
#include "ctl/call.h"
#include "ctl/remote.h"
#include "ctl/top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLEANUP_MESSAGE __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message
#define CONNECT_USEC    UINT64_C(15000000)
#define CALL_USEC       UINT64_C(5000000)
#define RETRY_USEC      UINT64_C(5000000)

enum host_state { HOST_GONE, HOST_CONNECTS, HOST_IS_READY };

struct top_host {
    struct top *top;
    struct remote remote;
    enum host_state state;
    uint64_t since_usec; /* of the state */
    uint64_t looked_usec;
    sd_bus_slot *asked; /* its answer has not come */
};

static uint64_t now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void set_state(struct top_host *host, enum host_state state)
{
    host->state = state;
    host->since_usec = now_usec();
}

static void lose(struct top_host *host, int r)
{
    host->asked = sd_bus_slot_unref(host->asked);
    remote_fail(&host->remote, r);
    set_state(host, HOST_GONE);
    top_take_none(host->top, host->remote.host, "unreachable", host->remote.error);
}

static void begin(struct top_host *host)
{
    int r = remote_begin(&host->remote, host->top->client->place, false);

    host->looked_usec = 0;
    set_state(host, HOST_CONNECTS);
    if (r < 0)
        lose(host, r);
}

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct top_host *host = userdata;
    const sd_bus_error *wrong = sd_bus_message_get_error(reply);

    (void)error;
    host->asked = sd_bus_slot_unref(host->asked);
    if (wrong)
        top_take_none(host->top, host->remote.host, "no answer", wrong->message);
    else
        top_take(host->top, host->remote.host, reply, &host->looked_usec);
    return 0;
}

static int ask(struct top_host *host)
{
    CLEANUP_MESSAGE *call = NULL;
    struct client client = {.bus = host->remote.bus};
    int r = call_new(&client, PATH, MANAGER, "CurrentState", &call);

    return r < 0
               ? r
               : sd_bus_call_async(host->remote.bus, &host->asked, call, answered, host, CALL_USEC);
}

/* Takes in what has come. */
static int process(struct top_host *host)
{
    int r;

    while ((r = sd_bus_process(host->remote.bus, NULL)) > 0)
        ;
    return r;
}

static void look_at(struct top_host *host)
{
    uint64_t passed = now_usec() - host->since_usec;
    int r;

    if (host->state == HOST_GONE) {
        if (passed >= RETRY_USEC)
            begin(host);
        return;
    }
    r = process(host);
    if (r >= 0 && host->state == HOST_CONNECTS) {
        r = sd_bus_is_ready(host->remote.bus);
        if (r > 0)
            set_state(host, HOST_IS_READY);
        else if (r == 0 && passed >= CONNECT_USEC)
            r = -ETIMEDOUT;
    }
    if (r >= 0 && host->state == HOST_IS_READY && !host->asked)
        r = ask(host);
    if (r < 0)
        lose(host, r);
}

int top_hosts_open(struct top *top)
{
    const struct hosts *hosts = &top->client->place->hosts;

    top->hosts = calloc(hosts->count, sizeof(*top->hosts));
    if (!top->hosts)
        return -ENOMEM;
    top->n_hosts = hosts->count;
    for (size_t i = 0; i < top->n_hosts; i++) {
        struct top_host *host = &top->hosts[i];
        *host = (struct top_host){.top = top, .remote = {.host = hosts->names[i], .words = -1}};
        top_take_none(top, host->remote.host, "connecting", "ssh connects");
        begin(host);
    }
    return 0;
}

void top_hosts_look(struct top *top)
{
    for (size_t i = 0; i < top->n_hosts; i++)
        look_at(&top->hosts[i]);
}

bool top_hosts_turn(struct top *top)
{
    for (size_t i = 0; i < top->n_hosts; i++) {
        struct top_host *host = &top->hosts[i];
        if (!top->selected.host || strcmp(top->selected.host, host->remote.host) != 0)
            continue;
        top->client->bus = host->remote.bus;
        top->client->host = host->remote.host;
        return host->state == HOST_IS_READY;
    }
    return top->n_hosts == 0;
}

void top_hosts_close(struct top *top)
{
    for (size_t i = 0; i < top->n_hosts; i++) {
        sd_bus_slot_unref(top->hosts[i].asked);
        remote_close(&top->hosts[i].remote);
    }
    free(top->hosts);
    top->hosts = NULL;
    top->n_hosts = 0;
}
