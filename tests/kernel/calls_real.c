#include "calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESULT(call)                                                                               \
    ({                                                                                             \
        __typeof__(call) result_ = (call);                                                         \
        result_ < 0 ? -errno : result_;                                                            \
    })

static volatile unsigned counts[65];

static void count(int signal)
{
    counts[signal]++;
}

static int real_kill(void *puppet, pid_t pid, int signal)
{
    (void)puppet;
    return RESULT(kill(pid, signal));
}

static int real_pidfd_open(void *puppet, pid_t pid)
{
    (void)puppet;
    return RESULT((int)syscall(SYS_pidfd_open, pid, 0));
}

static int real_pidfd_signal(void *puppet, int fd, int signal, unsigned flags)
{
    (void)puppet;
    return RESULT((int)syscall(SYS_pidfd_send_signal, fd, signal, NULL, flags));
}

static int real_wait(void *puppet, idtype_t type, id_t id, int options, siginfo_t *info)
{
    (void)puppet;
    return RESULT(waitid(type, id, info, options));
}

static int real_setsid(void *puppet)
{
    (void)puppet;
    return RESULT(setsid());
}

static int real_setpgid(void *puppet, pid_t pid, pid_t group)
{
    (void)puppet;
    return RESULT(setpgid(pid, group));
}

static int real_getpgid(void *puppet, pid_t pid)
{
    (void)puppet;
    return RESULT(getpgid(pid));
}

static int real_getsid(void *puppet, pid_t pid)
{
    (void)puppet;
    return RESULT(getsid(pid));
}

static int real_getppid(void *puppet)
{
    (void)puppet;
    return getppid();
}

static int real_subreaper(void *puppet, int on)
{
    (void)puppet;
    return RESULT(prctl(PR_SET_CHILD_SUBREAPER, on));
}

static int real_death_signal(void *puppet, int signal)
{
    (void)puppet;
    return RESULT(prctl(PR_SET_PDEATHSIG, signal));
}

static int real_act(void *puppet, int signal, enum disposition disposition, int flags)
{
    struct sigaction action = {.sa_flags = flags | SA_RESTART};

    (void)puppet;
    action.sa_handler = disposition == HANDLED ? count : disposition == IGNORED ? SIG_IGN : SIG_DFL;
    return RESULT(sigaction(signal, &action, NULL));
}

static int real_mask(void *puppet, int how, int signal)
{
    sigset_t set;

    (void)puppet;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return RESULT(sigprocmask(how, &set, NULL));
}

static int real_is_pending(void *puppet, int signal)
{
    sigset_t set;

    (void)puppet;
    sigpending(&set);
    return sigismember(&set, signal);
}

static int real_take(void *puppet, int signal, siginfo_t *info)
{
    sigset_t set;
    struct timespec none = {0, 0};

    (void)puppet;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return RESULT(sigtimedwait(&set, info, &none));
}

static unsigned real_handled(void *puppet, int signal)
{
    (void)puppet;
    return counts[signal];
}

static int real_setuid(void *puppet, uid_t uid, gid_t gid)
{
    (void)puppet;
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    return RESULT(prctl(PR_SET_DUMPABLE, 1));
}

static int real_umask(void *puppet, mode_t mask)
{
    (void)puppet;
    umask(mask);
    return 0;
}

static int real_open(void *puppet, const char *path, int flags, mode_t mode)
{
    (void)puppet;
    return RESULT(open(path, flags, mode));
}

static int real_close(void *puppet, int fd)
{
    (void)puppet;
    return RESULT(close(fd));
}

static ssize_t real_read(void *puppet, int fd, void *bytes, size_t size)
{
    (void)puppet;
    return RESULT(read(fd, bytes, size));
}

static ssize_t real_write(void *puppet, int fd, const void *bytes, size_t size)
{
    (void)puppet;
    return RESULT(write(fd, bytes, size));
}

static ssize_t real_read_at(void *puppet, int fd, void *bytes, size_t size, off_t offset)
{
    (void)puppet;
    return RESULT(pread(fd, bytes, size, offset));
}

static ssize_t real_write_at(void *puppet, int fd, const void *bytes, size_t size, off_t offset)
{
    (void)puppet;
    return RESULT(pwrite(fd, bytes, size, offset));
}

static off_t real_seek(void *puppet, int fd, off_t offset, int whence)
{
    (void)puppet;
    return RESULT(lseek(fd, offset, whence));
}

static int real_truncate(void *puppet, int fd, off_t size)
{
    (void)puppet;
    return RESULT(ftruncate(fd, size));
}

static int real_sync(void *puppet, int fd)
{
    (void)puppet;
    return RESULT(fsync(fd));
}

static int real_lock(void *puppet, int fd, int operation)
{
    (void)puppet;
    return RESULT(flock(fd, operation));
}

static int real_poll(void *puppet, int fd)
{
    struct pollfd one = {fd, POLLIN | POLLOUT | POLLPRI, 0};

    (void)puppet;
    if (poll(&one, 1, 0) < 0)
        return -errno;
    return one.revents; /* the numbers of EPOLL... are those of POLL... */
}

static int real_stat(void *puppet, const char *path, int flags, struct stat *status)
{
    (void)puppet;
    return RESULT(fstatat(AT_FDCWD, path, status, flags));
}

static int real_access(void *puppet, const char *path, int wish)
{
    (void)puppet;
    return RESULT(faccessat(AT_FDCWD, path, wish, AT_EACCESS));
}

static int real_mkdir(void *puppet, const char *path, mode_t mode)
{
    (void)puppet;
    return RESULT(mkdir(path, mode));
}

static int real_rmdir(void *puppet, const char *path)
{
    (void)puppet;
    return RESULT(rmdir(path));
}

static int real_unlink(void *puppet, const char *path)
{
    (void)puppet;
    return RESULT(unlink(path));
}

static int real_link(void *puppet, const char *from, const char *to)
{
    (void)puppet;
    return RESULT(link(from, to));
}

static int real_symlink(void *puppet, const char *text, const char *path)
{
    (void)puppet;
    return RESULT(symlink(text, path));
}

static int real_readlink(void *puppet, const char *path, char *text, size_t size)
{
    (void)puppet;
    return RESULT((int)readlink(path, text, size));
}

static int real_rename(void *puppet, const char *from, const char *to, unsigned flags)
{
    (void)puppet;
    return RESULT(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

static int real_mkfifo(void *puppet, const char *path, mode_t mode)
{
    (void)puppet;
    return RESULT(mkfifo(path, mode));
}

static int real_chmod(void *puppet, const char *path, mode_t mode)
{
    (void)puppet;
    return RESULT(chmod(path, mode));
}

static int real_chown(void *puppet, const char *path, uid_t uid, gid_t gid)
{
    (void)puppet;
    return RESULT(chown(path, uid, gid));
}

static int real_chdir(void *puppet, const char *path)
{
    (void)puppet;
    return RESULT(chdir(path));
}

static int real_list(void *puppet, const char *path, char *text, size_t size)
{
    struct dirent **names;
    size_t used = 0;
    int n = scandir(path, &names, NULL, alphasort);

    (void)puppet;
    if (n < 0)
        return -errno;
    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s ", names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return 0;
}

static int real_patience(void *puppet, unsigned tries)
{
    (void)puppet;
    (void)tries;
    poll(NULL, 0, 2);
    return 0;
}

extern const struct calls calls_real;
const struct calls calls_real = {
    .kill = real_kill,
    .pidfd_open = real_pidfd_open,
    .pidfd_signal = real_pidfd_signal,
    .wait = real_wait,
    .setsid = real_setsid,
    .setpgid = real_setpgid,
    .getpgid = real_getpgid,
    .getsid = real_getsid,
    .getppid = real_getppid,
    .subreaper = real_subreaper,
    .death_signal = real_death_signal,
    .act = real_act,
    .mask = real_mask,
    .is_pending = real_is_pending,
    .take = real_take,
    .handled = real_handled,
    .setuid = real_setuid,
    .umask = real_umask,
    .open = real_open,
    .close = real_close,
    .read = real_read,
    .write = real_write,
    .read_at = real_read_at,
    .write_at = real_write_at,
    .seek = real_seek,
    .truncate = real_truncate,
    .sync = real_sync,
    .lock = real_lock,
    .poll = real_poll,
    .stat = real_stat,
    .access = real_access,
    .mkdir = real_mkdir,
    .rmdir = real_rmdir,
    .unlink = real_unlink,
    .link = real_link,
    .symlink = real_symlink,
    .readlink = real_readlink,
    .rename = real_rename,
    .mkfifo = real_mkfifo,
    .chmod = real_chmod,
    .chown = real_chown,
    .chdir = real_chdir,
    .list = real_list,
    .patience = real_patience,
};
