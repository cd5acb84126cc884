#include "calls.h"
#include "puppets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define GROUP_FLAG 4 /* PIDFD_SIGNAL_PROCESS_GROUP */

static int model_kill(void *userdata, pid_t pid, int signal)
{
    struct puppet *puppet = userdata;

    return signal_send(puppet->task, model.tasks, pid, signal);
}

static int model_pidfd_open(void *userdata, pid_t pid)
{
    struct task *task;
    int r = pid_fd_open(model.tasks, pid, &task);

    return r < 0 ? r : puppet_take(userdata, NULL, task);
}

static int model_pidfd_signal(void *userdata, int fd, int signal, unsigned flags)
{
    struct puppet *puppet = userdata;
    struct task *task = puppet_task(puppet, fd);

    if (!task)
        return -EBADF;
    if (flags == GROUP_FLAG)
        return task_table_profile(model.tasks)->group_by_pidfd
                   ? signal_send_group_of(puppet->task, task, signal)
                   : -EINVAL;
    return signal_send_task(puppet->task, task, signal, NULL);
}

static int model_wait(void *userdata, idtype_t type, id_t id, int options, siginfo_t *info)
{
    struct puppet *puppet = userdata;
    struct task *child = type == P_PIDFD ? puppet_task(puppet, (int)id) : NULL;
    struct wait_result result;

    if (type == P_PIDFD && !child)
        return -EBADF;
    int r = child ? wait_for_task(puppet->task, child, options, &result)
                  : wait_for(puppet->task, type, (pid_t)id, options, &result);
    *info = result.info;
    if (result.task)
        task_release(result.task);
    return r;
}

static int model_setsid(void *userdata)
{
    struct puppet *puppet = userdata;
    pid_t session;
    int r = task_new_session(puppet->task, &session);

    return r < 0 ? r : session;
}

static int model_setpgid(void *userdata, pid_t pid, pid_t group)
{
    struct puppet *puppet = userdata;

    return task_set_group(puppet->task, pid, group);
}

static int model_getpgid(void *userdata, pid_t pid)
{
    struct puppet *puppet = userdata;
    pid_t group;
    int r = task_get_group(puppet->task, pid, &group);

    return r < 0 ? r : group;
}

static int model_getsid(void *userdata, pid_t pid)
{
    struct puppet *puppet = userdata;
    pid_t session;
    int r = task_get_session(puppet->task, pid, &session);

    return r < 0 ? r : session;
}

static int model_getppid(void *userdata)
{
    struct puppet *puppet = userdata;

    return puppet->task->parent->pid;
}

static int model_subreaper(void *userdata, int on)
{
    struct puppet *puppet = userdata;

    task_set_subreaper(puppet->task, on);
    return 0;
}

static int model_death_signal(void *userdata, int signal)
{
    struct puppet *puppet = userdata;

    puppet->task->death_signal = signal;
    return 0;
}

static int model_act(void *userdata, int signal, enum disposition disposition, int flags)
{
    struct puppet *puppet = userdata;
    struct signal_action action = {.flags = flags};

    action.disposition = disposition == HANDLED   ? SIGNAL_HANDLED
                         : disposition == IGNORED ? SIGNAL_IGNORED
                                                  : SIGNAL_DEFAULT;
    return signal_act(puppet->task, signal, &action, NULL);
}

static int model_mask(void *userdata, int how, int signal)
{
    struct puppet *puppet = userdata;

    signal_block(puppet->thread, how, SIGNAL_BIT(signal), NULL);
    return 0;
}

static int model_is_pending(void *userdata, int signal)
{
    struct puppet *puppet = userdata;

    /* sigpending(2) says only what is blocked. */
    return signal_is_pending(puppet->thread, SIGNAL_BIT(signal) & puppet->thread->blocked);
}

static int model_take(void *userdata, int signal, siginfo_t *info)
{
    struct puppet *puppet = userdata;

    return signal_take(puppet->thread, SIGNAL_BIT(signal), info);
}

static unsigned model_handled(void *userdata, int signal)
{
    struct puppet *puppet = userdata;

    return puppet->handled[signal];
}

static int model_setuid(void *userdata, uid_t uid, gid_t gid)
{
    struct puppet *puppet = userdata;

    puppet->task->identity = (struct identity){.uid = uid, .gid = gid};
    return 0;
}

static int model_umask(void *userdata, mode_t mask)
{
    struct puppet *puppet = userdata;

    puppet->task->umask = mask;
    return 0;
}

static int model_open(void *userdata, const char *path, int flags, mode_t mode)
{
    struct puppet *puppet = userdata;
    struct open_file *file;
    int r = file_open(puppet->task, NULL, path, flags, mode, &file);

    return r < 0 ? r : puppet_take(puppet, file, NULL);
}

static int model_close(void *userdata, int fd)
{
    struct puppet *puppet = userdata;

    if (!puppet_file(puppet, fd) && !puppet_task(puppet, fd))
        return -EBADF;
    puppet_close(&puppet->slots[fd]);
    return 0;
}

/* A call about an open file. */
#define ON_FILE(fd, call)                                                                          \
    struct puppet *puppet = userdata;                                                              \
    struct open_file *file = puppet_file(puppet, fd);                                              \
                                                                                                   \
    return file ? call : -EBADF

static ssize_t model_read(void *userdata, int fd, void *bytes, size_t size)
{
    ON_FILE(fd, file_read(puppet->task, file, bytes, size));
}

static ssize_t model_write(void *userdata, int fd, const void *bytes, size_t size)
{
    ON_FILE(fd, file_write(puppet->task, file, bytes, size));
}

static ssize_t model_read_at(void *userdata, int fd, void *bytes, size_t size, off_t offset)
{
    ON_FILE(fd, file_read_at(puppet->task, file, bytes, size, (uint64_t)offset));
}

static ssize_t model_write_at(void *userdata, int fd, const void *bytes, size_t size, off_t offset)
{
    ON_FILE(fd, file_write_at(puppet->task, file, bytes, size, (uint64_t)offset));
}

static off_t model_seek(void *userdata, int fd, off_t offset, int whence)
{
    ON_FILE(fd, ((void)puppet, file_seek(file, offset, whence)));
}

static int model_truncate(void *userdata, int fd, off_t size)
{
    ON_FILE(fd, file_truncate(puppet->task, file, (uint64_t)size));
}

static int model_sync(void *userdata, int fd)
{
    ON_FILE(fd, file_sync(puppet->task, file, false));
}

static int model_lock(void *userdata, int fd, int operation)
{
    ON_FILE(fd, ((void)puppet, file_lock(file, operation)));
}

static int model_poll(void *userdata, int fd)
{
    const struct puppet *puppet = userdata;

    if (puppet_task(puppet, fd))
        return (int)pid_fd_poll(puppet_task(puppet, fd));
    return puppet_file(puppet, fd) ? (int)file_poll(puppet_file(puppet, fd)) : -EBADF;
}

static int model_stat(void *userdata, const char *path, int flags, struct stat *status)
{
    struct puppet *puppet = userdata;
    struct inode *inode;
    int r = path_look_up(puppet->task, NULL, path, flags & AT_SYMLINK_NOFOLLOW ? PATH_LAST_LINK : 0,
                         &inode);

    if (r < 0)
        return r;
    r = path_stat(puppet->task, inode, status);
    inode_release(inode);
    return r;
}

static int model_access(void *userdata, const char *path, int wish)
{
    struct puppet *puppet = userdata;
    struct inode *inode;
    int r = path_look_up(puppet->task, NULL, path, 0, &inode);

    if (r < 0)
        return r;
    r = path_access(puppet->task, inode, wish);
    inode_release(inode);
    return r;
}

static int model_mkdir(void *userdata, const char *path, mode_t mode)
{
    struct puppet *puppet = userdata;

    return path_make_folder(puppet->task, NULL, path, mode);
}

static int model_rmdir(void *userdata, const char *path)
{
    struct puppet *puppet = userdata;

    return path_remove_folder(puppet->task, NULL, path);
}

static int model_unlink(void *userdata, const char *path)
{
    struct puppet *puppet = userdata;

    return path_unlink(puppet->task, NULL, path);
}

static int model_link(void *userdata, const char *from, const char *to)
{
    struct puppet *puppet = userdata;

    return path_link(puppet->task, NULL, from, NULL, to);
}

static int model_symlink(void *userdata, const char *text, const char *path)
{
    struct puppet *puppet = userdata;

    return path_symlink(puppet->task, text, NULL, path);
}

static int model_readlink(void *userdata, const char *path, char *text, size_t size)
{
    struct puppet *puppet = userdata;

    return path_read_link(puppet->task, NULL, path, text, size);
}

static int model_rename(void *userdata, const char *from, const char *to, unsigned flags)
{
    struct puppet *puppet = userdata;

    return path_rename(puppet->task, NULL, from, NULL, to, flags);
}

static int model_mkfifo(void *userdata, const char *path, mode_t mode)
{
    struct puppet *puppet = userdata;

    return path_make_node(puppet->task, NULL, path, S_IFIFO | mode, 0, NULL);
}

static int with_inode(struct puppet *puppet, const char *path, mode_t mode, uid_t uid, gid_t gid,
                      int what)
{
    struct inode *inode;
    int r = path_look_up(puppet->task, NULL, path, 0, &inode);

    if (r < 0)
        return r;
    r = what == 'm'   ? inode_set_mode(puppet->task, inode, mode)
        : what == 'o' ? inode_set_owner(puppet->task, inode, uid, gid)
                      : task_enter_folder(puppet->task, inode);
    inode_release(inode);
    return r;
}

static int model_chmod(void *userdata, const char *path, mode_t mode)
{
    return with_inode(userdata, path, mode, 0, 0, 'm');
}

static int model_chown(void *userdata, const char *path, uid_t uid, gid_t gid)
{
    return with_inode(userdata, path, 0, uid, gid, 'o');
}

static int model_chdir(void *userdata, const char *path)
{
    return with_inode(userdata, path, 0, 0, 0, 'd');
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int model_list(void *userdata, const char *path, char *text, size_t size)
{
    struct puppet *puppet = userdata;
    struct open_file *file;
    struct file_name name;
    char *names[256];
    size_t n = 0, used = 0;
    int r = file_open(puppet->task, NULL, path, O_RDONLY | O_DIRECTORY, 0, &file);

    if (r < 0)
        return r;
    while ((r = file_next_name(puppet->task, file, &name)) == 1 && n < 256)
        names[n++] = strdup(name.name);
    file_release(file);
    qsort(names, n, sizeof(*names), by_name);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s ", names[i]);
        free(names[i]);
    }
    return r;
}

static int model_patience(void *userdata, unsigned tries)
{
    (void)userdata;
    (void)tries;
    bool more = task_table_proceed(model.tasks);

    return cgroup_tell(model.cgroups) || more ? 0 : -1;
}

const struct calls calls_model = {
    .kill = model_kill,
    .pidfd_open = model_pidfd_open,
    .pidfd_signal = model_pidfd_signal,
    .wait = model_wait,
    .setsid = model_setsid,
    .setpgid = model_setpgid,
    .getpgid = model_getpgid,
    .getsid = model_getsid,
    .getppid = model_getppid,
    .subreaper = model_subreaper,
    .death_signal = model_death_signal,
    .act = model_act,
    .mask = model_mask,
    .is_pending = model_is_pending,
    .take = model_take,
    .handled = model_handled,
    .setuid = model_setuid,
    .umask = model_umask,
    .open = model_open,
    .close = model_close,
    .read = model_read,
    .write = model_write,
    .read_at = model_read_at,
    .write_at = model_write_at,
    .seek = model_seek,
    .truncate = model_truncate,
    .sync = model_sync,
    .lock = model_lock,
    .poll = model_poll,
    .stat = model_stat,
    .access = model_access,
    .mkdir = model_mkdir,
    .rmdir = model_rmdir,
    .unlink = model_unlink,
    .link = model_link,
    .symlink = model_symlink,
    .readlink = model_readlink,
    .rename = model_rename,
    .mkfifo = model_mkfifo,
    .chmod = model_chmod,
    .chown = model_chown,
    .chdir = model_chdir,
    .list = model_list,
    .patience = model_patience,
};
