/*
 * Proc files: the text of /proc, as far as proctord and libsystemd read it.
 */
#pragma once

#include "kernel/task.h"
#include "kernel/view.h"

struct cgroup_tree;
struct volume;

/* What only the owner of the descriptors knows; each may be NULL. */
struct proc_ports {
    void *userdata;
    void (*list_descriptors)(void *userdata, const struct task *task,
                             void (*add)(void *userdata, int number), void *add_userdata);
    /* 0, or -ENOENT: it has none with the number. "pipe:[12]", "/a/path", "socket:[3]" */
    int (*descriptor_link)(void *userdata, const struct task *task, int number,
                           struct view_text *text);
    /* A reference to what the descriptor is of, to be opened again. -ENXIO: a socket. */
    int (*descriptor_inode)(void *userdata, const struct task *task, int number,
                            struct inode **inode);
    int (*descriptor_info)(void *userdata, const struct task *task, int number,
                           struct view_text *text);
};

struct proc_settings {
    struct task_table *tasks;
    struct cgroup_tree *cgroups; /* NULL: none */
    struct proc_ports ports;
    const char *boot_id;    /* with its line end: kept by the caller */
    const char *mount_info; /* the text of /proc/self/mountinfo; the same */
    unsigned hide;          /* hidepid=: 0, or 2 */
    struct chance *chance;
};

/* A volume to be mounted; the settings are copied. */
struct volume *proc_files_new(const struct proc_settings *settings, dev_t device);
