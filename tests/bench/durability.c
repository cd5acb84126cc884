/*
 * What it costs that nothing is lost: acknowledged commands per second for each durability, beside
 * the raw rate at which the same disk takes records of that size, and the time until a proctord
 * that died is back.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE  32 /* commands under way */
#define ORDERS   20000
#define SPAN     (2 * UINT64_C(1000000000)) /* or so long */
#define CHILDREN 1000

/* ---- acknowledgements ------------------------------------------------------------------------ */

static unsigned under_way, answered;

static int acknowledged(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    (void)userdata;
    (void)error;
    if (sd_bus_message_is_method_error(m, NULL))
        fprintf(stderr, "bench: Pause: %s\n", sd_bus_message_get_error(m)->message);
    under_way--;
    answered++;
    return 0;
}

static double orders_per_second(struct daemon *d)
{
    uint64_t begin = now_nsec();
    unsigned asked = 0;

    under_way = answered = 0;
    while (answered < ORDERS && now_nsec() - begin < SPAN) {
        for (; under_way < AT_ONCE && asked < ORDERS; under_way++, asked++)
            sd_bus_call_method_async(d->bus, NULL, "org.proctor1", "/org/proctor1/child/child_2d0",
                                     "org.proctor1.Child", "Pause", acknowledged, NULL, "sa{sv}",
                                     "bench", 0);
        int r = sd_bus_process(d->bus, NULL);
        if (r == 0)
            sd_bus_wait(d->bus, 1000000);
        else if (r < 0)
            die("the bus");
    }
    double rate = answered / ((double)(now_nsec() - begin) / 1e9);
    while (under_way > 0)
        if (sd_bus_process(d->bus, NULL) == 0)
            sd_bus_wait(d->bus, 1000000);
    return rate;
}

static double bytes_of_journal(void)
{
    double sum = 0;
    glob_t found;
    struct stat status;

    if (glob(path_of("state/journal/*.journal"), 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (stat(found.gl_pathv[i], &status) == 0)
            sum += (double)status.st_size;
    globfree(&found);
    return sum;
}

/* Records of that size, appended one by one. */
static double raw_rate(size_t size, bool synced)
{
    char *record = calloc(1, size);
    int fd = open(path_of("state/raw"), O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t begin = now_nsec();
    unsigned count = 0;

    if (fd < 0 || !record)
        die("raw");
    for (; count < ORDERS && now_nsec() - begin < SPAN; count++)
        if (write(fd, record, size) != (ssize_t)size || (synced && fdatasync(fd) < 0))
            die("raw");
    double rate = count / ((double)(now_nsec() - begin) / 1e9);
    close(fd);
    unlink(path_of("state/raw"));
    free(record);
    return rate;
}

void acknowledgements(void)
{
    static const char *const options[] = {"--durability=none", "--durability=crash",
                                          "--durability=power"};
    static const char *const names[] = {"acknowledged-per-second-none",
                                        "acknowledged-per-second-crash",
                                        "acknowledged-per-second-power"};
    double rates[3];
    size_t size = 0;

    for (int i = 0; i < 3; i++) {
        struct daemon d;
        write_manifest(1, "/bin/sleep, \"1000\"", "");
        start(&d, options[i]);
        double before = bytes_of_journal();
        rates[i] = orders_per_second(&d);
        if (i == 1 && bytes_of_journal() > before)
            size = (size_t)((bytes_of_journal() - before) / answered);
        stop(&d);
    }
    if (size == 0)
        size = 500;
    double writes = raw_rate(size, false), syncs = raw_rate(size, true);
    figure("journal-bytes-per-command", "B", (double)size, 0, 0);
    figure(names[0], "1/s", rates[0], 0, 0);
    figure(names[1], "1/s", rates[1], writes, 0);
    figure(names[2], "1/s", rates[2], syncs, 0);
}

/* ---- recovery -------------------------------------------------------------------------------- */

static void die_and_forget(struct daemon *d)
{
    kill(d->pid, SIGKILL);
    waitpid(d->pid, NULL, 0);
    sd_bus_close_unref(d->bus);
}

static double time_start(struct daemon *d)
{
    uint64_t begin = now_nsec();
    start(d, NULL);
    return (double)(now_nsec() - begin) / 1e6;
}

/* From exec to the address of its bus, which comes when everybody is taken over. */
void recovery(void)
{
    enum { N = 9 };
    double empty[N], full[N];
    struct daemon d;

    write_manifest(0, "", "");
    for (int i = 0; i < N; i++) {
        empty[i] = time_start(&d);
        stop(&d);
    }
    write_manifest(CHILDREN, "/bin/sleep, \"1000\"", "");
    start(&d, NULL);
    wait_for_children(&d, "sleep", CHILDREN);
    for (int i = 0; i < N; i++) {
        die_and_forget(&d);
        full[i] = time_start(&d);
    }
    figure("recovery-1000-p50", "ms", percentile(full, N, 0.5), percentile(empty, N, 0.5), 200);
    stop(&d);
}

/* ---- upgrade --------------------------------------------------------------------------------- */

static double reexecute(struct daemon *d)
{
    uint64_t begin = now_nsec();
    int r = sd_bus_call_method(d->bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager",
                               "Reexecute", NULL, NULL, "sa{sv}", "benchmark", 0);

    if (r < 0)
        die("Reexecute");
    return (double)(now_nsec() - begin) / 1e6;
}

/* From the call to the answer of the new program: no caller waits longer than that. The floor is
 * the same with no children. */
void upgrade(void)
{
    enum { N = 15 };
    double empty[N], full[N];
    struct daemon d;

    write_manifest(0, "", "");
    start(&d, NULL);
    for (int i = 0; i < N; i++)
        empty[i] = reexecute(&d);
    stop(&d);
    write_manifest(CHILDREN, "/bin/sleep, \"1000\"", "");
    start(&d, NULL);
    wait_for_children(&d, "sleep", CHILDREN);
    for (int i = 0; i < N; i++)
        full[i] = reexecute(&d);
    figure("upgrade-1000-p50", "ms", percentile(full, N, 0.5), percentile(empty, N, 0.5), 100);
    figure("upgrade-1000-max", "ms", percentile(full, N, 1), percentile(empty, N, 1), 100);
    stop(&d);
}
