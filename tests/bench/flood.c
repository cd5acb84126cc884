/*
 * Flood: how long a polite client waits, alone and beside sixteen that always have many calls under
 * way. Its own quiet figure, of the same run, is the floor.
 */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FLOODERS   16
#define UNDER_WAY  64
#define CALLS      1000
#define PAUSE_NSEC 3000000

static unsigned long answered;

static int send_call(sd_bus *bus, sd_bus_message_handler_t answer)
{
    return sd_bus_call_method_async(bus, NULL, "org.proctor1", "/org/proctor1/child/child_2d0",
                                    "org.freedesktop.DBus.Properties", "GetAll", answer, bus, "s",
                                    "org.proctor1.Child");
}

static int answer_came(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    (void)error;
    answered++;
    if (sd_bus_message_is_method_error(reply, NULL))
        return 1; /* refused: it does not try again at once */
    return send_call(userdata, answer_came);
}

static sd_bus *connect_to(const struct daemon *d)
{
    sd_bus *bus;

    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, d->address) < 0 ||
        sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_start(bus) < 0)
        die("connection");
    return bus;
}

static void tell_how_many(int signal)
{
    (void)signal;
    unsigned long count = answered;
    if (write(1, &count, sizeof(count)) < 0)
        _exit(1);
    _exit(0);
}

/* Writes how many answers it has had when it is asked to end. */
static pid_t flooder(const struct daemon *d, int out)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, 1);
    signal(SIGTERM, tell_how_many);
    sd_bus *bus = connect_to(d);
    for (int i = 0; i < UNDER_WAY; i++)
        send_call(bus, answer_came);
    for (;;)
        if (sd_bus_process(bus, NULL) == 0)
            sd_bus_wait(bus, UINT64_MAX);
}

static void polite(const struct daemon *d, double *p50, double *p99)
{
    static double values[CALLS];
    const struct timespec pause = {.tv_nsec = PAUSE_NSEC};
    sd_bus *bus = connect_to(d);

    for (size_t i = 0; i < CALLS; i++) {
        sd_bus_message *reply = NULL;
        uint64_t began = now_nsec();
        if (sd_bus_call_method(bus, "org.proctor1", "/org/proctor1/child/child_2d1",
                               "org.freedesktop.DBus.Properties", "GetAll", NULL, &reply, "s",
                               "org.proctor1.Child") < 0)
            die("the polite client's call");
        values[i] = (double)(now_nsec() - began) / 1000;
        sd_bus_message_unref(reply);
        nanosleep(&pause, NULL);
    }
    sd_bus_flush_close_unref(bus);
    *p50 = percentile(values, CALLS, 0.5);
    *p99 = percentile(values, CALLS, 0.99);
}

void flood(void)
{
    double quiet50, quiet99, p50, p99, together = 0;
    pid_t flooders[FLOODERS];
    struct daemon d;
    int answers[2];

    write_manifest(10, "/bin/sleep, \"1000\"", "");
    start(&d, NULL);
    polite(&d, &quiet50, &quiet99);
    if (pipe(answers) < 0)
        die("pipe");
    uint64_t began = now_nsec();
    for (int i = 0; i < FLOODERS; i++)
        flooders[i] = flooder(&d, answers[1]);
    polite(&d, &p50, &p99);
    double seconds = (double)(now_nsec() - began) / 1e9;
    for (int i = 0; i < FLOODERS; i++) {
        unsigned long count = 0;
        kill(flooders[i], SIGTERM);
        waitpid(flooders[i], NULL, 0);
        if (read(answers[0], &count, sizeof(count)) == sizeof(count))
            together += (double)count;
    }
    close(answers[0]);
    close(answers[1]);
    figure("flood-polite-p50", "us", p50, quiet50, quiet50 * 3);
    figure("flood-polite-p99", "us", p99, quiet99, quiet99 * 3);
    figure("flood-answers-to-16-flooders", "1/s", together / seconds, 0, 0);
    stop(&d);
}
