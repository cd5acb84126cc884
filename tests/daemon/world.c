/*
 * world FILE [stay]: writes what it was given by its parent, a line for each thing, and
 * ends; or stays, if it is asked to. What is the same for all is in the file; numbers of its own
 * are not.
 */
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static FILE *out;

static void status_line(const char *key)
{
    char line[512];
    FILE *file = fopen("/proc/self/status", "re");

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            fprintf(out, "%s %s", key, line + strlen(key) + 2);
    if (file)
        fclose(file);
}

static void first_line(const char *name)
{
    char path[64], line[256] = "";

    snprintf(path, sizeof(path), "/proc/self/%s", name);
    FILE *file = fopen(path, "re");
    if (file && fgets(line, sizeof(line), file))
        line[strcspn(line, "\n")] = '\0';
    if (file)
        fclose(file);
    fprintf(out, "%s %s\n", name, line);
}

static void link_of(const char *name)
{
    char path[64], target[512];

    snprintf(path, sizeof(path), "/proc/self/%s", name);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    fprintf(out, "%s %.*s\n", name, n > 0 ? (int)n : 0, target);
}

static void descriptors(void)
{
    fputs("descriptors", out);
    for (int fd = 0; fd < 1000; fd++)
        if (fd != fileno(out) && fcntl(fd, F_GETFD) >= 0)
            fprintf(out, " %d", fd);
    fputs("\n", out);
}

static void variables(void)
{
    static const char *const own[] = {"PROCTOR_", "NOTIFY_SOCKET=", "LANG="};

    fputs("environment", out);
    for (char **v = environ; *v; v++) {
        size_t i = 0;
        while (i < 3 && strncmp(*v, own[i], strlen(own[i])) != 0)
            i++;
        fprintf(out, " %.*s", (int)strcspn(*v, "="), *v);
        if (i == 3)
            fprintf(out, "=%s", strchr(*v, '=') + 1);
    }
    fputs("\n", out);
}

/* Whether it is the one that the hostile parent had: the kernel's own depends on the machine. */
static void own_slice(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t slice, deadline, period;
        uint32_t least_use, most_use;
    } own = {.size = sizeof(own)};

    if (syscall(SYS_sched_getattr, 0, &own, sizeof(own), 0) < 0)
        own = (__typeof__(own)){};
    fprintf(out, "slice %s use %s\n", own.slice == 7000000 ? "given" : "usual",
            own.least_use == 100 || own.most_use == 200 ? "given" : "usual");
}

static void scheduling(void)
{
    cpu_set_t set;
    long slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    fprintf(out, "processors %s\n",
            CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN) ? "all" : "few");
    own_slice();
    fprintf(out, "policy %d nice %d ioprio %ld slack %ld\n", sched_getscheduler(0),
            getpriority(PRIO_PROCESS, 0), syscall(SYS_ioprio_get, 1, 0), slack);
}

/* But for the soft limit of descriptors, which has a line of its own. */
static void limits(void)
{
    struct rlimit limit;

    for (int i = 0; i < RLIM_NLIMITS; i++)
        if (getrlimit((__rlimit_resource_t)i, &limit) == 0)
            fprintf(out, "limit %d %lld %lld\n", i,
                    i == RLIMIT_NOFILE ? 0 : (long long)limit.rlim_cur, (long long)limit.rlim_max);
}

/* The session keyring's number. */
static void keyring(void)
{
    long serial = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

    fprintf(out, "keyring %ld\n", serial);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    mode_t mask = umask(0);

    if (argc < 2)
        return 1;
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.new", argv[1]) < 0)
        return 1;
    out = fopen(temporary, "we");
    if (!out)
        return 1;
    getrlimit(RLIMIT_NOFILE, &limit);
    fprintf(out, "umask %03o\n", mask);
    for (int i = 0; i < 10; i++)
        status_line((const char *[]){"SigPnd", "SigBlk", "SigIgn", "Uid", "Gid", "THP_enabled",
                                     "CapPrm", "CapEff", "CapBnd", "CapAmb"}[i]);
    limits();
    keyring();
    fprintf(out, "files %llu\n", (unsigned long long)limit.rlim_cur);
    for (int i = 0; i < 3; i++)
        first_line((const char *[]){"oom_score_adj", "coredump_filter", "personality"}[i]);
    scheduling();
    link_of("cwd");
    link_of("root");
    fprintf(out, "session %s\n",
            getsid(0) == getpid() && getpgrp() == getpid() ? "own" : "another's");
    fprintf(out, "terminal %s\n", open("/dev/tty", O_RDWR | O_CLOEXEC) < 0 ? "none" : "one");
    fprintf(out, "dumpable %d securebits %d\n", prctl(PR_GET_DUMPABLE), prctl(PR_GET_SECUREBITS));
    descriptors();
    variables();
    fclose(out);
    rename(temporary, argv[1]);
    if (argc > 2)
        pause();
    return 0;
}
