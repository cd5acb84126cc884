/*
 * Proc node: the kinds of files in /proc, where each is, and how it is read.
 */
#pragma once

#include "kernel/proc_files.h"

#include <stdbool.h>

/* Folders, by what is in them. */
enum proc_place {
    PROC_NOWHERE,
    PROC_IN_ROOT,
    PROC_IN_TASK,
    PROC_IN_THREADS,
    PROC_IN_THREAD,
    PROC_IN_DESCRIPTORS,
    PROC_IN_NAMESPACES,
    PROC_IN_SYS,
    PROC_IN_SYS_KERNEL,
    PROC_IN_SYS_RANDOM,
};

enum proc_file {
    PROC_ROOT_FOLDER,
    PROC_TASK_FOLDER,
    PROC_THREAD_FOLDER,
    PROC_FD,
    PROC_FDINFO,
    PROC_SELF,
    PROC_SYS,
    PROC_SYS_KERNEL,
    PROC_SYS_RANDOM,
    PROC_BOOT_ID,
    PROC_LAST_CAPABILITY,
    PROC_STAT,
    PROC_STATM,
    PROC_STATUS,
    PROC_CGROUP,
    PROC_CMDLINE,
    PROC_COMM,
    PROC_ENVIRON,
    PROC_MOUNTINFO,
    PROC_OOM_SCORE_ADJ,
    PROC_COREDUMP_FILTER,
    PROC_EXE,
    PROC_CWD,
    PROC_ROOT_LINK,
    PROC_FD_FOLDER,
    PROC_FDINFO_FOLDER,
    PROC_NS_FOLDER,
    PROC_NS_USER,
    PROC_THREADS,
    PROC_THREAD_STAT,
    PROC_THREAD_COMM,
    PROC_THREAD_ENVIRON,
    PROC_THREAD_CHILDREN,
    PROC_KINDS,
};

struct proc_view_root {
    struct proc_settings settings;
};

/* What an inode of the view is of: its object. */
struct proc_node {
    struct proc_view_root *root;
    enum proc_file kind;
    struct task *task; /* held; NULL: none */
    pid_t thread;
    int number; /* of a descriptor */
};

struct proc_kind {
    const char *name; /* NULL: a number */
    enum proc_place place;
    enum proc_place inside; /* of a folder */
    mode_t mode;
    bool private; /* only for those that may look into the process */
    int (*read)(const struct proc_node *node, const struct task *caller, struct view_text *text);
    int (*write)(const struct proc_node *node, const char *word);
};

extern const struct proc_kind proc_kinds[PROC_KINDS];

struct proc_node *proc_node_of(const struct inode *inode);
/* Whether files that only the owner may read are open to the caller. */
bool proc_may_look(const struct task *caller, const struct task *task);
/* Its memory is gone: the thread has ended. */
bool proc_has_no_memory(const struct proc_node *node);
/* Valid until the next call. */
const char *proc_self_name(const struct task *caller);
