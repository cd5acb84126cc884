#include "backend.h"

#include "calls.h"
#include "kernel/cgroup.h"
#include "kernel/open_file.h"
#include "kernel/proc_files.h"
#include "kernel/signals.h"
#include "kernel/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define DESCRIPTORS 64
#define GROUP_FLAG  4 /* PIDFD_SIGNAL_PROCESS_GROUP */

/* A descriptor is of a file or of a process. */
struct slot {
    struct open_file *file;
    struct task *task;
};

struct puppet {
    struct thread *thread;
    struct task *task; /* held */
    struct slot slots[DESCRIPTORS];
    unsigned handled[SIGNALS];
};

static struct {
    struct task_table *tasks;
    struct cgroup_tree *cgroups;
    struct volume *disk, *proc, *sys, *groups;
    struct task *init;
    struct puppet puppets[PUPPETS];
    char cgroup[64];
} model;

/* ---- kernels --------------------------------------------------------------------------------- */

/* What is known of kernels; how the cgroups are mounted stands behind the version. */
static const struct profile {
    const char *name;
    struct task_profile tasks;
    struct cgroup_profile cgroups;
} profiles[] = {
    {"6.18",
     {.group_by_pidfd = true, .exit_info = true, .strict_environ = true},
     {.kills_newcomers = true, .misses_leaderless = true}},
    {"6.1", {0}, {.kills_newcomers = true, .misses_leaderless = true}},
};

static bool profile_find(const char *name, struct profile *profile)
{
    size_t length = strcspn(name, "-");

    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        if (strlen(profiles[i].name) != length || strncmp(profiles[i].name, name, length) != 0)
            continue;
        *profile = profiles[i];
        profile->cgroups.hybrid = strcmp(name + length, "-hybrid") == 0;
        if (!profile->cgroups.hybrid)
            profile->cgroups.controllers = CGROUP_CPU | CGROUP_MEMORY | CGROUP_PIDS | CGROUP_IO;
        return true;
    }
    return false;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static struct puppet *puppet_of(const struct task *task)
{
    return task->runner;
}

static void close_slot(struct slot *slot)
{
    file_release(slot->file);
    if (slot->task)
        task_release(slot->task);
    *slot = (struct slot){0};
}

static void ended(void *userdata, struct task *task)
{
    struct puppet *puppet = puppet_of(task);

    (void)userdata;
    for (int i = 0; puppet && i < DESCRIPTORS; i++)
        close_slot(&puppet->slots[i]);
}

static void list_descriptors(void *userdata, const struct task *task,
                             void (*add)(void *userdata, int number), void *add_userdata)
{
    const struct puppet *puppet = puppet_of(task);

    (void)userdata;
    for (int i = 0; puppet && i < DESCRIPTORS; i++)
        if (puppet->slots[i].file || puppet->slots[i].task)
            add(add_userdata, i);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static int slot_take(struct puppet *puppet, struct open_file *file, struct task *task)
{
    for (int i = 3; i < DESCRIPTORS; i++) {
        if (puppet->slots[i].file || puppet->slots[i].task)
            continue;
        puppet->slots[i] = (struct slot){file, task};
        return i;
    }
    return -EMFILE;
}

static struct open_file *file_at(const struct puppet *puppet, int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? puppet->slots[fd].file : NULL;
}

static struct task *task_at(const struct puppet *puppet, int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? puppet->slots[fd].task : NULL;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static int model_kill(void *userdata, pid_t pid, int signal)
{
    struct puppet *puppet = userdata;

    return signal_send(puppet->task, model.tasks, pid, signal);
}

static int model_pidfd_open(void *userdata, pid_t pid)
{
    struct task *task;
    int r = pid_fd_open(model.tasks, pid, &task);

    return r < 0 ? r : slot_take(userdata, NULL, task);
}

static int model_pidfd_signal(void *userdata, int fd, int signal, unsigned flags)
{
    struct puppet *puppet = userdata;
    struct task *task = task_at(puppet, fd);

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
    struct task *child = type == P_PIDFD ? task_at(puppet, (int)id) : NULL;
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

    return r < 0 ? r : slot_take(puppet, file, NULL);
}

static int model_close(void *userdata, int fd)
{
    struct puppet *puppet = userdata;

    if (!file_at(puppet, fd) && !task_at(puppet, fd))
        return -EBADF;
    close_slot(&puppet->slots[fd]);
    return 0;
}

/* A call about an open file. */
#define ON_FILE(fd, call)                                                                          \
    struct puppet *puppet = userdata;                                                              \
    struct open_file *file = file_at(puppet, fd);                                                  \
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

    if (task_at(puppet, fd))
        return (int)pid_fd_poll(task_at(puppet, fd));
    return file_at(puppet, fd) ? (int)file_poll(file_at(puppet, fd)) : -EBADF;
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

static const struct calls calls_model = {
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

/* ---- the machine ----------------------------------------------------------------------------- */

static void make_folders(struct task *init)
{
    static const char *const paths[] = {"/proc", "/sys", "/work"};
    struct inode *folder;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        path_make_folder(init, NULL, paths[i], 0755);
    path_look_up(init, NULL, "/proc", 0, &folder);
    volume_mount(model.proc, folder);
    inode_release(folder);
    path_look_up(init, NULL, "/sys", 0, &folder);
    volume_mount(model.groups, folder);
    inode_release(folder);
}

static void join(unsigned puppet, struct task *task)
{
    model.puppets[puppet] = (struct puppet){.thread = task->threads, .task = task_hold(task)};
    task->runner = &model.puppets[puppet];
}

static void execute(struct puppet *puppet)
{
    static const char environment[] = "HOME=/";
    char arguments[64];
    int n = snprintf(arguments, sizeof(arguments), "kernel-programs%c--puppet%c%u", '\0', '\0',
                     (unsigned)(puppet - model.puppets));

    task_execute(puppet->thread, "exe", NULL, arguments, (size_t)n + 1, environment,
                 sizeof(environment));
    memset(puppet->handled, 0, sizeof(puppet->handled));
    for (int i = 0; i < DESCRIPTORS; i++)
        close_slot(&puppet->slots[i]);
}

static bool model_begin(const char *name)
{
    struct profile profile;
    struct task_ports ports = {.ended = ended};
    struct task *first;

    if (!profile_find(name, &profile))
        return false;
    model.tasks = task_table_new(&profile.tasks, &ports, NULL);
    model.cgroups = cgroup_tree_new(&profile.cgroups, NULL);
    model.disk = volume_new(VOLUME_DISK, NULL, 1);
    model.groups = cgroup_files_new(model.cgroups, NULL, 2);
    struct proc_settings settings = {
        .tasks = model.tasks, .cgroups = model.cgroups, .ports.list_descriptors = list_descriptors};
    model.proc = proc_files_new(&settings, 3);
    model.init = task_boot(model.tasks, cgroup_root(model.cgroups), "init");
    model.init->root = inode_hold(model.disk->root);
    model.init->folder = inode_hold(model.disk->root);
    make_folders(model.init);
    struct task_birth birth = {0};
    if (task_fork(model.init->threads, &birth, &first) < 0)
        return false;
    join(0, first);
    execute(&model.puppets[0]);
    model_setsid(&model.puppets[0]);
    model_chdir(&model.puppets[0], "/work");
    return true;
}

static int model_fork(unsigned index, unsigned child, bool of_parent, const char *into)
{
    struct puppet *puppet = &model.puppets[index];
    struct task_birth birth = {.of_parent = of_parent};
    struct inode *folder = NULL;
    struct task *task;

    if (!task_is_alive(puppet->task))
        return -ESRCH;
    int r = into ? path_look_up(puppet->task, NULL, into, 0, &folder) : 0;
    if (r < 0)
        return r;
    birth.into = folder ? cgroup_of_inode(folder) : NULL;
    r = folder && !birth.into ? -EBADF : task_fork(puppet->thread, &birth, &task);
    inode_release(folder);
    if (r < 0)
        return r;
    pid_t number = task->pid;
    join(child, task);
    struct puppet *born = &model.puppets[child];
    for (int i = 0; task_is_alive(task) && i < DESCRIPTORS; i++) {
        const struct slot *slot = &puppet->slots[i];

        if (slot->file || slot->task)
            born->slots[i] = (struct slot){slot->file ? file_hold(slot->file) : NULL,
                                           slot->task ? task_hold(slot->task) : NULL};
    }
    memcpy(born->handled, puppet->handled, sizeof(born->handled));
    return number;
}

/* Handlers run as soon as they can. */
static void run_handlers(void)
{
    struct signal_action action;
    siginfo_t info;

    for (int i = 0; i < PUPPETS; i++) {
        struct puppet *puppet = &model.puppets[i];

        if (!puppet->task || !task_is_alive(puppet->task))
            continue;
        for (int signal; (signal = signal_next(puppet->thread, &info, &action)) > 0;)
            puppet->handled[signal]++;
    }
}

/* The main thread ends, and another one continues. */
static void end_main_thread(struct puppet *puppet)
{
    struct thread *main_thread = puppet->thread;

    if (task_add_thread(puppet->task, &puppet->thread) == 0)
        thread_exit(main_thread, 0);
}

static void model_order(unsigned index, int n, char *words[], FILE *out)
{
    struct puppet *puppet = &model.puppets[index];
    char *reply = NULL;
    size_t size;
    bool could = task_is_alive(puppet->task);
    FILE *text = open_memstream(&reply, &size);

    if (!could)
        fputs("", text);
    else if (strcmp(words[0], "exit") == 0)
        task_exit(puppet->task, atoi(words[1]));
    else if (strcmp(words[0], "main-ends") == 0 || strcmp(words[0], "exec") == 0)
        fputs("ok", text), *words[0] == 'm' ? end_main_thread(puppet) : execute(puppet);
    else
        step_take(&calls_model, puppet, n, words, text);
    fclose(text);
    run_handlers();
    fputs(task_is_alive(puppet->task) ? reply : "it has ended", out);
    free(reply);
}

static pid_t model_number(unsigned puppet)
{
    return model.puppets[puppet].task->pid;
}

static pid_t model_init(void)
{
    return 1;
}

static const char *model_cgroup(void)
{
    if (cgroup_find(cgroup_root(model.cgroups), "test") ||
        cgroup_make(cgroup_root(model.cgroups), "test", NULL) == 0)
        strcpy(model.cgroup, "/sys/test");
    return model.cgroup;
}

static void model_end(void)
{
    for (int i = 0; i < PUPPETS; i++)
        for (int fd = 0; fd < DESCRIPTORS; fd++)
            close_slot(&model.puppets[i].slots[fd]);
    for (int i = 0; i < PUPPETS; i++)
        if (model.puppets[i].task)
            task_release(model.puppets[i].task);
    task_table_free(model.tasks);
    volume_free(model.proc);
    volume_free(model.groups);
    volume_free(model.disk);
    cgroup_tree_free(model.cgroups);
}

const struct backend backend_model = {
    .begin = model_begin,
    .fork = model_fork,
    .order = model_order,
    .number = model_number,
    .init = model_init,
    .cgroup = model_cgroup,
    .end = model_end,
};
