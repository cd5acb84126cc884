#include "system/own_process.h"

#include "system/again.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENVIRONMENT 16

static char **its_environment(char *list[ENVIRONMENT])
{
    static const char *const prefixes[] = {"LD_", "ASAN_", "UBSAN_", "LSAN_", "GCOV_", "LLVM_"};
    size_t n = 0;

    for (char **v = environ; *v && n < ENVIRONMENT - 1; v++)
        for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
            if (strncmp(*v, prefixes[i], strlen(prefixes[i])) == 0) {
                list[n++] = *v;
                break;
            }
    list[n] = NULL;
    return list;
}

static const char *own_program(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN);
    return access("/proc/self/exe", X_OK) == 0 || !name ? "/proc/self/exe" : name;
}

static int set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                  const int *descriptors, size_t n)
{
    sigset_t all;

    sigfillset(&all);
    int r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);
    for (int fd = 1; r == 0 && fd <= 2; fd++)
        r = posix_spawn_file_actions_adddup2(actions, 0, fd);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = posix_spawn_file_actions_adddup2(actions, descriptors[i], 3 + (int)i);
    if (r == 0)
        r = posix_spawnattr_setsigmask(attributes, &all);
    if (r == 0)
        r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    return -r;
}

int own_process_begin(const char *option, const char *argument, const int *descriptors, size_t n,
                      pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *environment[ENVIRONMENT];
    const char *arguments[] = {"proctord", option, argument, NULL};

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int r = set_up(&actions, &attributes, descriptors, n);
    if (r == 0)
        r = -posix_spawn(pid, own_program(), &actions, &attributes, (char **)(uintptr_t)arguments,
                         its_environment(environment));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return r;
}

int own_process_sockets(int ends[2])
{
    int low[2], r = 0;

    ends[0] = ends[1] = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, low) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        ends[i] = again_copy(low[i], OWN_DESCRIPTOR_MIN);
        r = ends[i] < 0 ? ends[i] : r;
        close(low[i]);
    }
    return r;
}
