/*
 * Which metrics sockets are served: the option's, the one passed by the service
 * manager, and those of the program before.
 */
#include "metrics_serving.h"

#include "daemon.h"
#include "host/host.h"
#include "log/log.h"
#include "bus/metrics_address.h"
#include "bus/metrics_socket.h"
#include "system/own_folder.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static int fail(const char *what, int r)
{
    log_say("proctord: %s: %s", what, strerror(-r));
    return r;
}

/* The folder has to be ours: metrics of a path that others control could be
 * redirected. */
static int serve_unix(struct daemon *daemon)
{
    if (!daemon->line.metrics_socket)
        return 0;
    char why[OWN_FOLDER_WHY];
    if (own_folder_of(daemon->line.metrics_socket, why) < 0) {
        log_say("proctord: %s: its folder cannot be used: %s", daemon->line.metrics_socket, why);
        return -EPERM;
    }
    int r = metrics_socket_open(daemon->event, daemon->service, daemon->line.metrics_socket,
                                daemon->metrics_descriptor, daemon->line.metrics_of_children,
                                &daemon->metrics);
    return r < 0 ? fail(daemon->line.metrics_socket, r) : 0;
}

/* What was handed over, if it is what the command line says. */
static int take_listener(struct daemon *daemon)
{
    int fd = host_take_listener(daemon->host);

    if (fd < 0 || metrics_address_fits(fd, daemon->line.metrics_address))
        return fd;
    close(fd);
    return -ENOENT;
}

/* Where --metrics-listen says, or where the service manager listens for us. */
static int serve_tcp(struct daemon *daemon)
{
    const char *address = daemon->line.metrics_address;
    int fd = take_listener(daemon);

    if (fd < 0 && !address)
        return 0;
    if (fd < 0)
        fd = metrics_address_listen(address);
    if (fd < 0)
        return fail(address, fd);
    if (address && !metrics_address_is_local(address))
        log_print(LOG_NOTICE, "other machines can read the metrics at %s", address);
    int r = metrics_socket_serve(daemon->event, daemon->service, fd,
                                 daemon->line.metrics_of_children, &daemon->metrics_tcp);
    if (r < 0)
        return fail("metrics", r);
    host_keep_listener(daemon->host, fd);
    return 0;
}

int metrics_serving_begin(struct daemon *daemon)
{
    int r = serve_unix(daemon);
    return r < 0 ? r : serve_tcp(daemon);
}

void metrics_serving_end(struct daemon *daemon)
{
    metrics_socket_close(daemon->metrics);
    metrics_socket_close(daemon->metrics_tcp);
}
