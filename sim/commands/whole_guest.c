/*
 * Starts the process that runs proctord inside of the simulator. proctord
 * itself and the library that takes its system calls are found beside
 * proctor-sim, in the build folder as well as where both are installed.
 */
#include "commands/whole_guest.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Beside this program, as they are built and installed. */
static const char *beside(const char *first, const char *second)
{
    static char found[2][PATH_MAX];
    static int n;
    char here[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", here, sizeof(here) - 1);

    here[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(here, '/');
    if (slash)
        *slash = '\0';
    char *path = found[n++ % 2];
    snprintf(path, PATH_MAX, "%.2000s/%s", here, first);
    if (access(path, R_OK) < 0)
        snprintf(path, PATH_MAX, "%.2000s/%s", here, second);
    return path;
}

static void stay_on_one_core(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();

    CPU_ZERO(&set);
    CPU_SET(cpu < 0 ? 0 : cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* Simulator and guest run in turns, never at once; on one processor core the
 * change between them is cheapest. */
int whole_guest_new(const char *proctord, const char *seam, bool random_addresses,
                    struct guest **guest)
{
    if (!proctord)
        proctord = beside("../service/proctord", "../sbin/proctord");
    if (!seam)
        seam = beside("seam/libproctor-sim-seam.so", "../lib/proctor/libproctor-sim-seam.so");
    stay_on_one_core();
    sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){}); /* a thread that is woken waits */
    int r = guest_new(proctord, seam, random_addresses, guest);
    if (r < 0)
        fprintf(stderr, "proctor-sim: %s cannot be simulated: %s\n", proctord, strerror(-r));
    return r;
}

void whole_guest_run(struct guest *guest, const struct story *story, struct schedule *schedule,
                     FILE *told, struct whole_result *result)
{
    const struct whole_settings settings = {.guest = guest,
                                            .schedule = schedule,
                                            .story = story,
                                            .told = told,
                                            .tell_output = told != NULL};

    whole_run(&settings, result);
}
