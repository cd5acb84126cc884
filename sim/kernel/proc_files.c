/*
 * /proc as a volume: which files it has, who may look at them, and how their
 * inodes are found. Texts are made in proc_text.c. Processes come and go while
 * their files are open; files of one that has gone answer -ESRCH or -ENOENT, as
 * on Linux.
 */
#include "kernel/proc_node.h"

#include "kernel/volume.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x9fa0

static const struct view proc_view;

struct proc_node *proc_node_of(const struct inode *inode)
{
    return inode->object;
}

/* A name in /proc is a number without a sign and without leading zeros. 0: it is none. */
static pid_t number_of(const char *name)
{
    uint64_t number = 0;

    if (*name == '0' && name[1])
        return 0;
    for (; *name >= '0' && *name <= '9' && number < INT32_MAX; name++)
        number = number * 10 + (uint64_t)(*name - '0');
    return *name == '\0' && number <= INT32_MAX ? (pid_t)number : 0;
}

/* Numbers of inodes: the same for the same file, as a process sees it. */
static uint64_t inode_number(const struct proc_node *node)
{
    uint64_t task = node->task ? node->task->serial : 0;

    return (task << 32) + ((uint64_t)node->thread << 12) + ((uint64_t)node->kind << 6) +
           (uint64_t)node->number + 1;
}

/* Private files belong to root if the process has made itself undumpable. */
static struct inode *make_inode(struct volume *volume, struct proc_view_root *root,
                                struct proc_node node, struct inode *parent)
{
    const struct proc_kind *kind = &proc_kinds[node.kind];
    bool is_private = kind->private && node.task;
    struct inode *inode = inode_new(volume, kind->mode, 0, 0);
    struct proc_node *object = malloc(sizeof(*object));

    INVARIANT(object);
    *object = node;
    object->root = root;
    if (object->task) {
        task_hold(object->task);
        if (object->task->dumpable || !is_private) {
            inode->owner = object->task->identity.uid;
            inode->group = object->task->identity.gid;
        }
    }
    inode->object = object;
    inode->view = &proc_view;
    inode->number = inode_number(object);
    inode->links = 1;
    inode->parent = parent ? inode_hold(parent) : inode;
    return inode;
}

static bool is_hidden(const struct proc_view_root *root, const struct task *caller,
                      const struct task *task)
{
    return root->settings.hide == 2 && !identity_is_super(&caller->identity) &&
           caller->identity.uid != task->identity.uid;
}

/* The file of a place with this name. */
static int find_kind(enum proc_place place, const char *name)
{
    for (int i = 0; i < PROC_KINDS; i++)
        if (proc_kinds[i].place == place && proc_kinds[i].name &&
            strcmp(proc_kinds[i].name, name) == 0)
            return i;
    return -1;
}

static int look_up_task(struct inode *folder, struct task *caller, pid_t pid, struct proc_node *out)
{
    struct proc_view_root *root = proc_node_of(folder)->root;
    struct thread *thread = task_find_thread(root->settings.tasks, pid);

    if (!thread || is_hidden(root, caller, thread->task))
        return -ENOENT;
    *out = (struct proc_node){
        .kind = PROC_TASK_FOLDER, .task = thread->task, .thread = thread->task->pid};
    return 0;
}

static int look_up_thread(const struct proc_node *in, pid_t id, struct proc_node *out)
{
    if (!task_thread(in->task, id))
        return -ENOENT;
    *out = (struct proc_node){.kind = PROC_THREAD_FOLDER, .task = in->task, .thread = id};
    return 0;
}

static void found_descriptor(void *userdata, int number)
{
    struct proc_node *wanted = userdata;

    if (number == wanted->number)
        wanted->thread = 1;
}

/* The links in /proc/PID/fd. */
static int look_up_descriptor(const struct proc_node *in, const char *name, struct proc_node *out)
{
    const struct proc_ports *ports = &in->root->settings.ports;
    struct proc_node wanted = {.number = number_of(name)};

    if ((wanted.number == 0 && strcmp(name, "0") != 0) || !ports->list_descriptors)
        return -ENOENT;
    ports->list_descriptors(ports->userdata, in->task, found_descriptor, &wanted);
    if (wanted.thread == 0)
        return -ENOENT;
    *out = (struct proc_node){.kind = in->kind == PROC_FD_FOLDER ? PROC_FD : PROC_FDINFO,
                              .task = in->task,
                              .thread = in->thread,
                              .number = wanted.number};
    return 0;
}

static bool is_gone(const struct proc_node *node)
{
    return node->task &&
           (node->task->state == TASK_REAPED || !task_thread(node->task, node->thread));
}

/* One name, by the place where it is looked for. */
static int look_up(struct inode *folder, struct task *caller, const char *name,
                   struct inode **found)
{
    const struct proc_node *in = proc_node_of(folder);
    enum proc_place place = proc_kinds[in->kind].inside;
    struct proc_node node = {.task = in->task, .thread = in->thread};
    int kind = find_kind(place, name);
    int r = -ENOENT;

    if (is_gone(in))
        return -ENOENT;
    if (kind >= 0) {
        node.kind = (enum proc_file)kind;
        r = 0;
    } else if (place == PROC_IN_ROOT && number_of(name) > 0) {
        r = look_up_task(folder, caller, number_of(name), &node);
    } else if (place == PROC_IN_THREADS && number_of(name) > 0) {
        r = look_up_thread(in, number_of(name), &node);
    } else if (place == PROC_IN_DESCRIPTORS) {
        r = proc_may_look(caller, in->task) ? look_up_descriptor(in, name, &node) : -EACCES;
    }
    if (r == 0)
        *found = make_inode(folder->volume, in->root, node, folder);
    return r;
}

/* What listing a folder adds names with. */
struct adder {
    void (*add)(void *userdata, const char *name, uint64_t number, mode_t mode);
    void *userdata;
    mode_t mode;
};

static void add_number(const struct adder *adder, int number, mode_t mode)
{
    char name[16];

    snprintf(name, sizeof(name), "%d", number);
    adder->add(adder->userdata, name, (uint64_t)number + 1, mode);
}

static void add_descriptor(void *userdata, int number)
{
    const struct adder *adder = userdata;

    add_number(adder, number, adder->mode);
}

static void list_tasks(const struct proc_view_root *root, const struct task *caller,
                       const struct adder *adder)
{
    for (const struct task *task = task_first(root->settings.tasks); task; task = task->next)
        if (!is_hidden(root, caller, task))
            add_number(adder, task->pid, S_IFDIR);
}

/* What can be seen depends on the caller. */
static int list(struct inode *folder, struct task *caller,
                void (*add)(void *userdata, const char *name, uint64_t number, mode_t mode),
                void *userdata)
{
    const struct proc_node *in = proc_node_of(folder);
    enum proc_place place = proc_kinds[in->kind].inside;
    struct adder adder = {add, userdata, in->kind == PROC_FD_FOLDER ? S_IFLNK : S_IFREG};
    const struct proc_ports *ports = &in->root->settings.ports;

    if (is_gone(in))
        return -ENOENT;
    for (int i = 0; i < PROC_KINDS; i++)
        if (proc_kinds[i].place == place && proc_kinds[i].name)
            add(userdata, proc_kinds[i].name, (uint64_t)i + 1, proc_kinds[i].mode & S_IFMT);
    if (place == PROC_IN_ROOT)
        list_tasks(in->root, caller, &adder);
    for (const struct thread *thread = place == PROC_IN_THREADS ? in->task->threads : NULL; thread;
         thread = thread->next)
        add_number(&adder, thread->id, S_IFDIR);
    if (place == PROC_IN_DESCRIPTORS && !proc_may_look(caller, in->task))
        return -EACCES;
    if (place == PROC_IN_DESCRIPTORS && ports->list_descriptors)
        ports->list_descriptors(ports->userdata, in->task, add_descriptor, &adder);
    return 0;
}

/* Newer kernels do not open what is in the memory of one that has none. */
static int open_file(struct inode *file, struct task *caller)
{
    const struct proc_node *node = proc_node_of(file);

    if (is_gone(node))
        return -ESRCH;
    if (node->kind != PROC_ENVIRON && node->kind != PROC_THREAD_ENVIRON)
        return 0;
    if (!proc_may_look(caller, node->task))
        return -EACCES;
    return proc_has_no_memory(node) && task_table_profile(node->task->table)->strict_environ
               ? -ESRCH
               : 0;
}

static int read_file(struct inode *file, struct task *caller, struct view_text *text)
{
    const struct proc_node *node = proc_node_of(file);
    const struct proc_kind *kind = &proc_kinds[node->kind];

    if (is_gone(node))
        return -ESRCH;
    if (kind->private && !proc_may_look(caller, node->task))
        return -EACCES;
    return kind->read ? kind->read(node, caller, text) : -EINVAL;
}

/* Few files of /proc can be written; each takes one short word. */
static int write_file(struct inode *file, struct task *caller, const char *bytes, size_t size)
{
    const struct proc_node *node = proc_node_of(file);
    char word[64];

    (void)caller;
    if (is_gone(node))
        return -ESRCH;
    if (!proc_kinds[node->kind].write || size >= sizeof(word))
        return -EINVAL;
    memcpy(word, bytes, size);
    word[size] = '\0';
    return proc_kinds[node->kind].write(node, word);
}

static int read_link(struct inode *link, struct task *caller, struct view_text *text)
{
    const struct proc_node *node = proc_node_of(link);
    const struct proc_kind *kind = &proc_kinds[node->kind];

    if (is_gone(node))
        return -ENOENT;
    if (kind->private && !proc_may_look(caller, node->task))
        return -EACCES;
    return kind->read ? kind->read(node, caller, text) : -EINVAL;
}

static int follow_descriptor(const struct proc_node *node, struct inode **target)
{
    const struct proc_ports *ports = &node->root->settings.ports;

    return ports->descriptor_inode
               ? ports->descriptor_inode(ports->userdata, node->task, node->number, target)
               : -ENOENT;
}

/* Links whose text leads nowhere are resolved here; those to a number, by their text. */
static int follow(struct inode *link, struct task *caller, struct inode **target)
{
    const struct proc_node *node = proc_node_of(link);
    struct inode *inode = NULL;

    if (node->kind == PROC_SELF)
        return look_up(link->parent, caller, proc_self_name(caller), target);
    if (is_gone(node))
        return -ENOENT;
    if (!proc_may_look(caller, node->task))
        return -EACCES;
    if (node->kind == PROC_FD)
        return follow_descriptor(node, target);
    if (node->kind == PROC_NS_USER) {
        *target = inode_new(link->volume, S_IFREG | 0444, 0, 0);
        (*target)->links = 1;
        return 0;
    }
    if (node->kind == PROC_EXE)
        inode = node->task->program;
    else if (node->kind == PROC_CWD)
        inode = node->task->folder;
    else if (node->kind == PROC_ROOT_LINK)
        inode = node->task->root;
    if (!inode || !task_is_alive(node->task))
        return -ENOENT;
    *target = inode_hold(inode);
    return 0;
}

/* Gives back what the inode refers to. */
static void release(struct inode *inode)
{
    struct proc_node *node = proc_node_of(inode);

    if (inode->parent != inode)
        inode_release(inode->parent);
    else
        free(node->root);
    if (node->task)
        task_release(node->task);
    free(node);
}

static const struct view proc_view = {
    .look_up = look_up,
    .list = list,
    .open = open_file,
    .read = read_file,
    .write = write_file,
    .read_link = read_link,
    .follow = follow,
    .release = release,
};

/* The volume, ready to be mounted. */
struct volume *proc_files_new(const struct proc_settings *settings, dev_t device)
{
    struct volume *volume = volume_new(VOLUME_VIEW, settings->chance, device);
    struct proc_view_root *root = malloc(sizeof(*root));

    INVARIANT(root);
    root->settings = *settings;
    inode_release(volume->root);
    volume->root = make_inode(volume, root, (struct proc_node){.kind = PROC_ROOT_FOLDER}, NULL);
    volume->type = "proc";
    volume->magic = MAGIC;
    return volume;
}
