/*
 * The program on disk: where it is, and whether it could take over.
 */
#include "handover/program.h"
#include "core/vocabulary/invariant.h"

#include "system/again.h"
#include "system/handle.h"
#include "handover/handover.h"
#include "core/model/input_archive.h"
#include "journal/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MSEC 2000
#define TEXT(number)  TEXT_(number)
#define TEXT_(number) #number

extern char **environ;

const char *program_formats(void)
{
    return "formats: journal-" TEXT(JOURNAL_VERSION) " state-" TEXT(
        CORE_STATE_VERSION) " handover-" TEXT(HANDOVER_VERSION);
}

/* As it was called: a path that leads to another file after an upgrade is to be followed there. */
static char *path_of(const char *called)
{
    char here[PATH_MAX], *path = NULL;

    if (called[0] == '/')
        return strdup(called);
    if (strchr(called, '/') && getcwd(here, sizeof(here)))
        return asprintf(&path, "%s/%s", here, called) < 0 ? NULL : path;
    ssize_t n = readlink("/proc/self/exe", here, sizeof(here) - 1);
    if (n < 0)
        return NULL;
    here[n] = '\0';
    return strdup(here);
}

int program_remember(struct program *program, char *const arguments[])
{
    errno = ENOMEM;
    program->path = path_of(arguments[0]);
    program->arguments = arguments;
    return program->path ? 0 : -errno;
}

int program_copy(const struct program *program, struct program *copy)
{
    *copy = (struct program){.arguments = program->arguments};
    copy->path = program->path ? strdup(program->path) : NULL;
    return program->path && !copy->path ? -ENOMEM : 0;
}

void program_forget(struct program *program)
{
    free(program->path);
    program->path = NULL;
}

/* The same arguments, with --version at the end: options that it does not know
 * make it fail. */
static char **question(const struct program *program)
{
    static char ask[] = "--version";
    size_t count = 0;

    while (program->arguments[count])
        count++;
    char **arguments = calloc(count + 2, sizeof(char *));
    if (!arguments)
        return NULL;
    memcpy(arguments, program->arguments, count * sizeof(char *));
    arguments[count] = ask;
    return arguments;
}

/* With a time limit of the caller's. */
static int run(const struct program *program, int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char **arguments = question(program);
    sigset_t none;

    if (!arguments)
        return -ENOMEM;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
    int r = posix_spawn(pid, program->path, &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(arguments);
    return -r;
}

static int left_msec(const struct timespec *began)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    long spent = (now.tv_sec - began->tv_sec) * 1000 + (now.tv_nsec - began->tv_nsec) / 1000000;
    return spent < PATIENCE_MSEC ? PATIENCE_MSEC - (int)spent : 0;
}

/* Until it closes its output. Returns false where it does not in time. */
static bool listen_to(int fd, char *text, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct timespec began;
    size_t used = 0;

    clock_gettime(CLOCK_MONOTONIC, &began);
    for (;;) {
        char rest[256];
        bool room = used < size - 1;
        if (poll(&ready, 1, left_msec(&began)) <= 0)
            return false;
        ssize_t n = read(fd, room ? text + used : rest, room ? size - 1 - used : sizeof(rest));
        if (n <= 0)
            break;
        used += room ? (size_t)n : 0;
        text[used] = '\0';
    }
    return true;
}

/* It has to start, and to use the same formats. */
static int judge(const struct program *program, const char *text, int status, char *version,
                 struct error *error)
{
    const char *name = strncmp(text, "proctord ", 9) == 0 ? text + 9 : NULL;
    const char *formats = strstr(text, "\nformats: ");
    size_t length = formats ? strcspn(formats + 1, "\n") : 0;

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !name || !formats)
        snprintf(error->text, sizeof(error->text),
                 "%.200s does not start with these options; its output: %.*s", program->path,
                 (int)strcspn(text, "\n"), text);
    else if (length != strlen(program_formats()) ||
             strncmp(formats + 1, program_formats(), length) != 0)
        snprintf(error->text, sizeof(error->text),
                 "%.200s uses other formats (%.*s) than the running proctord (%.100s): stop that "
                 "one, then start the new one",
                 program->path, (int)(length < 100 ? length : 100), formats + 1, program_formats());
    else {
        snprintf(version, PROGRAM_VERSION_MAX, "%.*s", (int)strcspn(name, "\n"), name);
        return 0;
    }
    return -EINVAL;
}

/* In a thread. */
int program_check(const struct program *program, char version[PROGRAM_VERSION_MAX],
                  struct error *error)
{
    char text[512] = "";
    int ends[2], status = 0;
    pid_t pid;

    INVARIANT(error);
    if (!program->path) {
        snprintf(error->text, sizeof(error->text), "the path of this program is not known");
        return -EINVAL;
    }
    if (pipe2(ends, O_CLOEXEC) < 0) {
        snprintf(error->text, sizeof(error->text), "%s", strerror(errno));
        return -EINVAL;
    }
    int r = run(program, ends[1], &pid);
    close(ends[1]);
    if (r < 0) {
        close(ends[0]);
        snprintf(error->text, sizeof(error->text), "%.200s: %s", program->path, strerror(-r));
        return -EINVAL;
    }
    /* The loop may reap it before we do: then what it has said is all that is known of it. */
    int pidfd = again_pidfd(pid);
    if (!listen_to(ends[0], text, sizeof(text)) && pidfd >= 0)
        handle_signal(pidfd, SIGKILL);
    if (pidfd >= 0)
        close(pidfd);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return judge(program, text, status, version, error);
}
