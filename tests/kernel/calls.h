/*
 * Calls: what a puppet can ask of a kernel, be it the real one (calls_real.c) or the model
 * (calls_model.c). All return what the system call returns, or a negative errno.
 *
 * A program of tests/kernel/programs is a list of lines, each of which says which puppet (a
 * process) does what: step.c carries a line out by these calls, and says what came of it. The same
 * program must say the same on both kernels.
 */
#pragma once

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

enum disposition { BY_DEFAULT, IGNORED, HANDLED };

struct calls {
    int (*kill)(void *puppet, pid_t pid, int signal);
    int (*pidfd_open)(void *puppet, pid_t pid);
    int (*pidfd_signal)(void *puppet, int fd, int signal, unsigned flags);
    int (*wait)(void *puppet, idtype_t type, id_t id, int options, siginfo_t *info);
    int (*setsid)(void *puppet);
    int (*setpgid)(void *puppet, pid_t pid, pid_t group);
    int (*getpgid)(void *puppet, pid_t pid);
    int (*getsid)(void *puppet, pid_t pid);
    int (*getppid)(void *puppet);
    int (*subreaper)(void *puppet, int on);
    int (*death_signal)(void *puppet, int signal);
    int (*act)(void *puppet, int signal, enum disposition disposition, int flags);
    int (*mask)(void *puppet, int how, int signal);
    int (*is_pending)(void *puppet, int signal);
    int (*take)(void *puppet, int signal, siginfo_t *info);
    unsigned (*handled)(void *puppet, int signal);
    int (*setuid)(void *puppet, uid_t uid, gid_t gid);
    int (*umask)(void *puppet, mode_t mask);

    int (*open)(void *puppet, const char *path, int flags, mode_t mode);
    int (*close)(void *puppet, int fd);
    ssize_t (*read)(void *puppet, int fd, void *bytes, size_t size);
    ssize_t (*write)(void *puppet, int fd, const void *bytes, size_t size);
    ssize_t (*read_at)(void *puppet, int fd, void *bytes, size_t size, off_t offset);
    ssize_t (*write_at)(void *puppet, int fd, const void *bytes, size_t size, off_t offset);
    off_t (*seek)(void *puppet, int fd, off_t offset, int whence);
    int (*truncate)(void *puppet, int fd, off_t size);
    int (*sync)(void *puppet, int fd);
    int (*lock)(void *puppet, int fd, int operation);
    int (*poll)(void *puppet, int fd); /* EPOLL... */
    int (*stat)(void *puppet, const char *path, int flags, struct stat *status);
    int (*access)(void *puppet, const char *path, int wish);
    int (*mkdir)(void *puppet, const char *path, mode_t mode);
    int (*rmdir)(void *puppet, const char *path);
    int (*unlink)(void *puppet, const char *path);
    int (*link)(void *puppet, const char *from, const char *to);
    int (*symlink)(void *puppet, const char *text, const char *path);
    int (*readlink)(void *puppet, const char *path, char *text, size_t size);
    int (*rename)(void *puppet, const char *from, const char *to, unsigned flags);
    int (*mkfifo)(void *puppet, const char *path, mode_t mode);
    int (*chmod)(void *puppet, const char *path, mode_t mode);
    int (*chown)(void *puppet, const char *path, uid_t uid, gid_t gid);
    int (*chdir)(void *puppet, const char *path);
    /* All names, sorted, with a blank behind each. */
    int (*list)(void *puppet, const char *path, char *text, size_t size);

    /* Something is expected to happen; the model has done it already. Negative: the time is up. */
    int (*patience)(void *puppet, unsigned tries);
};

/* Carries out the words of a line behind the puppet's name, and says what came of it. Numbers of
 * processes are written as <123>. */
void step_take(const struct calls *calls, void *puppet, int n_words, char *words[], FILE *out);
int step_signal(const char *name); /* "TERM"; 0: there is none */
const char *step_error(int negative);
