/*
 * The texts of /proc files, field by field in the format of Linux. Only the
 * fields that proctord and its helpers read have values; the others are zeros
 * in the right place.
 */
#include "kernel/proc_node.h"

#include "kernel/cgroup.h"
#include "kernel/task_table.h"
#include "kernel/volume.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NSEC     UINT64_C(10000000)
#define PAGE_BYTES    4096
#define PF_EXITING    0x4u
#define PF_FORKNOEXEC 0x40u
#define ADDRESS       0x7ffc00000000ULL

static const struct thread *thread_of(const struct proc_node *node)
{
    return task_thread(node->task, node->thread);
}

bool proc_has_no_memory(const struct proc_node *node)
{
    const struct thread *thread = thread_of(node);

    return !task_is_alive(node->task) || !thread || thread->ended;
}

static char state_of(const struct proc_node *node)
{
    if (proc_has_no_memory(node))
        return 'Z';
    if (node->task->stuck)
        return 'D';
    return node->task->state == TASK_STOPPED ? 'T' : 'S';
}

static pid_t parent_of(const struct task *task)
{
    return task->parent ? task->parent->pid : 0;
}

static unsigned count_threads(const struct task *task)
{
    unsigned n = 0;

    for (const struct thread *thread = task->threads; thread; thread = thread->next)
        n++;
    return n;
}

bool proc_may_look(const struct task *caller, const struct task *task)
{
    return caller == task || identity_is_super(&caller->identity) ||
           (caller->identity.uid == task->identity.uid && task->dumpable);
}

/* The name in parentheses may contain anything, parentheses and newlines
 * included, which is what makes this file hard to read. */
static int read_stat(const struct proc_node *node, const struct task *caller,
                     struct view_text *text)
{
    const struct task *task = node->task;
    bool gone = proc_has_no_memory(node), may_look = proc_may_look(caller, task);
    unsigned flags = 0x400000u | (gone ? PF_EXITING : 0) | (task->has_executed ? 0 : PF_FORKNOEXEC);
    unsigned long long start = gone || !may_look ? 0 : ADDRESS;
    unsigned long long end = start ? start + task->environment_size : 0;

    view_add(text, "%d (%s) %c %d %d %d 0 -1 %u 0 0 0 0 ", (int)node->thread, thread_of(node)->name,
             state_of(node), (int)parent_of(task), (int)task->group, (int)task->session, flags);
    view_add(text, "%llu 0 0 0 %d %d %u 0 %llu %llu %llu 18446744073709551615 ",
             (unsigned long long)(task->cpu_nsec / TICK_NSEC), 20 + task->nice, task->nice,
             count_threads(task), (unsigned long long)(task->started_nsec / TICK_NSEC),
             gone ? 0ULL : (unsigned long long)task->memory_bytes,
             gone ? 0ULL : (unsigned long long)task->memory_bytes / PAGE_BYTES);
    /* 26 to 47: addresses, signals, and what is about processors */
    view_add(text, "0 0 0 0 0 0 0 0 0 0 0 0 %d 0 0 0 0 0 0 0 0 0 ", task->end_signal);
    view_add(text, "%llu %llu %llu %llu %d\n", start, start, start, end,
             may_look ? task->status : 0);
    return 0;
}

static signal_set set_of(const struct task *task, enum signal_disposition disposition)
{
    signal_set set = 0;

    for (int signal = 1; signal < SIGNALS; signal++)
        if (task->actions[signal].disposition == disposition)
            set |= SIGNAL_BIT(signal);
    return set;
}

static void add_groups(const struct task *task, struct view_text *text)
{
    view_add(text, "Groups:\t");
    for (size_t i = 0; i < task->identity.n_groups; i++)
        view_add(text, "%u ", task->identity.groups[i]);
    view_add(text, "%s\n", task->identity.n_groups == 0 ? " " : "");
}

static const char *state_words(char state)
{
    return state == 'Z'   ? "Z (zombie)"
           : state == 'T' ? "T (stopped)"
           : state == 'D' ? "D (disk sleep)"
                          : "S (sleeping)";
}

/* The sets of signals are hexadecimal, with the lowest bit for signal 1. */
static int read_status(const struct proc_node *node, const struct task *caller,
                       struct view_text *text)
{
    const struct task *task = node->task;
    const struct thread *thread = thread_of(node);
    unsigned uid = task->identity.uid, gid = task->identity.gid;

    (void)caller;
    view_add(text, "Name:\t%s\n", thread->name);
    if (!proc_has_no_memory(node))
        view_add(text, "Umask:\t%04o\n", (unsigned)task->umask);
    view_add(text, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
             state_words(state_of(node)), (int)task->pid, (int)node->thread, (int)parent_of(task));
    view_add(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t64\n", uid, uid, uid, uid,
             gid, gid, gid, gid);
    add_groups(task, text);
    view_add(text, "NSpid:\t%d\nThreads:\t%u\n", (int)node->thread, count_threads(task));
    view_add(text, "SigPnd:\t%016llx\nShdPnd:\t%016llx\n", (unsigned long long)thread->pending,
             (unsigned long long)task->pending);
    view_add(text, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
             (unsigned long long)thread->blocked, (unsigned long long)set_of(task, SIGNAL_IGNORED),
             (unsigned long long)set_of(task, SIGNAL_HANDLED));
    return 0;
}

/* A hybrid system has a line for its old hierarchy as well. */
static int read_cgroup(const struct proc_node *node, const struct task *caller,
                       struct view_text *text)
{
    const struct cgroup_tree *tree = node->root->settings.cgroups;

    (void)caller;
    if (!tree || cgroup_tree_profile(tree)->hybrid)
        view_add(text, "1:name=systemd:/\n");
    if (!tree || !node->task->cgroup)
        return 0;
    char *path = cgroup_path(node->task->cgroup);
    view_add(text, "0::%s\n", path);
    free(path);
    return 0;
}

static int read_cmdline(const struct proc_node *node, const struct task *caller,
                        struct view_text *text)
{
    (void)caller;
    if (!proc_has_no_memory(node))
        view_add_bytes(text, node->task->arguments, node->task->arguments_size);
    return 0;
}

static int read_environ(const struct proc_node *node, const struct task *caller,
                        struct view_text *text)
{
    (void)caller;
    if (!proc_has_no_memory(node))
        view_add_bytes(text, node->task->environment, node->task->environment_size);
    return 0;
}

static int read_comm(const struct proc_node *node, const struct task *caller,
                     struct view_text *text)
{
    (void)caller;
    view_add(text, "%s\n", thread_of(node)->name);
    return 0;
}

static int read_statm(const struct proc_node *node, const struct task *caller,
                      struct view_text *text)
{
    unsigned long long pages = proc_has_no_memory(node) ? 0 : node->task->memory_bytes / PAGE_BYTES;

    (void)caller;
    view_add(text, "%llu %llu 0 0 0 0 0\n", pages, pages);
    return 0;
}

/* In the order of their births. */
static int read_children(const struct proc_node *node, const struct task *caller,
                         struct view_text *text)
{
    uint64_t last = 0;

    (void)caller;
    for (;;) {
        const struct task *next = NULL;

        TASK_FOREACH(child, node->task->table)
        if (child->parent == node->task && child->parent_thread == node->thread &&
            child->serial > last && (!next || child->serial < next->serial))
            next = child;
        if (!next)
            return 0;
        view_add(text, "%d ", (int)next->pid);
        last = next->serial;
    }
}

static int read_mountinfo(const struct proc_node *node, const struct task *caller,
                          struct view_text *text)
{
    (void)caller;
    if (node->root->settings.mount_info)
        view_add(text, "%s", node->root->settings.mount_info);
    return 0;
}

static int read_boot_id(const struct proc_node *node, const struct task *caller,
                        struct view_text *text)
{
    (void)caller;
    view_add(text, "%s", node->root->settings.boot_id ? node->root->settings.boot_id : "");
    return 0;
}

static int read_last_capability(const struct proc_node *node, const struct task *caller,
                                struct view_text *text)
{
    (void)caller;
    (void)node;
    view_add(text, "40\n");
    return 0;
}

static int read_oom(const struct proc_node *node, const struct task *caller, struct view_text *text)
{
    (void)caller;
    view_add(text, "%d\n", node->task->oom_score_adj);
    return 0;
}

static int write_oom(const struct proc_node *node, const char *word)
{
    int value;

    if (sscanf(word, "%d", &value) != 1 || value < -1000 || value > 1000)
        return -EINVAL;
    node->task->oom_score_adj = value;
    return 0;
}

static int read_filter(const struct proc_node *node, const struct task *caller,
                       struct view_text *text)
{
    (void)caller;
    (void)node;
    view_add(text, "00000033\n");
    return 0;
}

static int write_filter(const struct proc_node *node, const char *word)
{
    (void)node;
    (void)word;
    return 0;
}

const char *proc_self_name(const struct task *caller)
{
    static char name[16];

    snprintf(name, sizeof(name), "%d", (int)caller->pid);
    return name;
}

static int read_self(const struct proc_node *node, const struct task *caller,
                     struct view_text *text)
{
    (void)node;
    view_add(text, "%s", proc_self_name(caller));
    return 0;
}

/* What a link shows; one whose file has gone is marked as deleted. */
static int read_path(const struct task *task, const struct inode *inode, struct view_text *text)
{
    char *path;

    if (!inode || !task_is_alive(task))
        return -ENOENT;
    int r = path_of((struct task *)task, inode, &path);
    if (r == -ENOENT) {
        view_add(text, "/ (deleted)");
        return 0;
    }
    if (r == 0)
        view_add(text, "%s", path);
    if (r == 0)
        free(path);
    return r;
}

static int read_exe(const struct proc_node *node, const struct task *caller, struct view_text *text)
{
    (void)caller;
    return read_path(node->task, node->task->program, text);
}

static int read_cwd(const struct proc_node *node, const struct task *caller, struct view_text *text)
{
    (void)caller;
    return read_path(node->task, node->task->folder, text);
}

static int read_root(const struct proc_node *node, const struct task *caller,
                     struct view_text *text)
{
    (void)caller;
    return read_path(node->task, node->task->root, text);
}

static int read_namespace(const struct proc_node *node, const struct task *caller,
                          struct view_text *text)
{
    (void)caller;
    (void)node;
    view_add(text, "user:[4026531837]");
    return 0;
}

static int read_descriptor(const struct proc_node *node, const struct task *caller,
                           struct view_text *text)
{
    const struct proc_ports *ports = &node->root->settings.ports;

    (void)caller;
    return ports->descriptor_link
               ? ports->descriptor_link(ports->userdata, node->task, node->number, text)
               : -ENOENT;
}

static int read_descriptor_info(const struct proc_node *node, const struct task *caller,
                                struct view_text *text)
{
    const struct proc_ports *ports = &node->root->settings.ports;

    (void)caller;
    return ports->descriptor_info
               ? ports->descriptor_info(ports->userdata, node->task, node->number, text)
               : -ENOENT;
}

#define FOLDER (S_IFDIR | 0555)
#define LINK   (S_IFLNK | 0777)
#define FILE_R (S_IFREG | 0444)

const struct proc_kind proc_kinds[PROC_KINDS] = {
    [PROC_ROOT_FOLDER] = {NULL, PROC_NOWHERE, PROC_IN_ROOT, FOLDER},
    [PROC_TASK_FOLDER] = {NULL, PROC_NOWHERE, PROC_IN_TASK, FOLDER},
    [PROC_THREAD_FOLDER] = {NULL, PROC_NOWHERE, PROC_IN_THREAD, FOLDER},
    [PROC_FD] = {NULL, PROC_NOWHERE, 0, S_IFLNK | 0700, true, read_descriptor},
    [PROC_FDINFO] = {NULL, PROC_NOWHERE, 0, FILE_R, true, read_descriptor_info},
    [PROC_SELF] = {"self", PROC_IN_ROOT, 0, LINK, false, read_self},
    [PROC_SYS] = {"sys", PROC_IN_ROOT, PROC_IN_SYS, FOLDER},
    [PROC_SYS_KERNEL] = {"kernel", PROC_IN_SYS, PROC_IN_SYS_KERNEL, FOLDER},
    [PROC_SYS_RANDOM] = {"random", PROC_IN_SYS_KERNEL, PROC_IN_SYS_RANDOM, FOLDER},
    [PROC_BOOT_ID] = {"boot_id", PROC_IN_SYS_RANDOM, 0, FILE_R, false, read_boot_id},
    [PROC_LAST_CAPABILITY] = {"cap_last_cap", PROC_IN_SYS_KERNEL, 0, FILE_R, false,
                              read_last_capability},
    [PROC_STAT] = {"stat", PROC_IN_TASK, 0, FILE_R, false, read_stat},
    [PROC_STATM] = {"statm", PROC_IN_TASK, 0, FILE_R, false, read_statm},
    [PROC_STATUS] = {"status", PROC_IN_TASK, 0, FILE_R, false, read_status},
    [PROC_CGROUP] = {"cgroup", PROC_IN_TASK, 0, FILE_R, false, read_cgroup},
    [PROC_CMDLINE] = {"cmdline", PROC_IN_TASK, 0, FILE_R, false, read_cmdline},
    [PROC_COMM] = {"comm", PROC_IN_TASK, 0, S_IFREG | 0644, false, read_comm},
    [PROC_ENVIRON] = {"environ", PROC_IN_TASK, 0, S_IFREG | 0400, true, read_environ},
    [PROC_MOUNTINFO] = {"mountinfo", PROC_IN_TASK, 0, FILE_R, false, read_mountinfo},
    [PROC_OOM_SCORE_ADJ] = {"oom_score_adj", PROC_IN_TASK, 0, S_IFREG | 0644, false, read_oom,
                            write_oom},
    [PROC_COREDUMP_FILTER] = {"coredump_filter", PROC_IN_TASK, 0, S_IFREG | 0644, false,
                              read_filter, write_filter},
    [PROC_EXE] = {"exe", PROC_IN_TASK, 0, LINK, true, read_exe},
    [PROC_CWD] = {"cwd", PROC_IN_TASK, 0, LINK, true, read_cwd},
    [PROC_ROOT_LINK] = {"root", PROC_IN_TASK, 0, LINK, true, read_root},
    [PROC_FD_FOLDER] = {"fd", PROC_IN_TASK, PROC_IN_DESCRIPTORS, S_IFDIR | 0500, true},
    [PROC_FDINFO_FOLDER] = {"fdinfo", PROC_IN_TASK, PROC_IN_DESCRIPTORS, FOLDER, true},
    [PROC_NS_FOLDER] = {"ns", PROC_IN_TASK, PROC_IN_NAMESPACES, S_IFDIR | 0511, true},
    [PROC_NS_USER] = {"user", PROC_IN_NAMESPACES, 0, LINK, true, read_namespace},
    [PROC_THREADS] = {"task", PROC_IN_TASK, PROC_IN_THREADS, FOLDER},
    [PROC_THREAD_STAT] = {"stat", PROC_IN_THREAD, 0, FILE_R, false, read_stat},
    [PROC_THREAD_COMM] = {"comm", PROC_IN_THREAD, 0, S_IFREG | 0644, false, read_comm},
    [PROC_THREAD_ENVIRON] = {"environ", PROC_IN_THREAD, 0, S_IFREG | 0400, true, read_environ},
    [PROC_THREAD_CHILDREN] = {"children", PROC_IN_THREAD, 0, FILE_R, false, read_children},
};
