/* A child that says when it is ready, beats, and stops when asked: cc beats.c -lsystemd */
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

int main(void)
{
    uint64_t usec;

    signal(SIGTERM, stop);
    /* ... open what is needed, then: */
    sd_notify(0, "READY=1\nSTATUS=serving");
    /* Half of the time that proctord waits: one beat may be late. */
    if (sd_watchdog_enabled(0, &usec) <= 0)
        usec = 2000000;
    while (!stopping) {
        /* ... one piece of work, then: */
        sd_notify(0, "WATCHDOG=1");
        usleep((useconds_t)(usec / 2));
    }
    sd_notify(0, "STOPPING=1");
    return 0;
}
