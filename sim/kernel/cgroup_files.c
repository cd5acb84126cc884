/*
 * The files of the control groups, as a volume that can be mounted. A table
 * says which files there are, with their modes and functions; which of them a
 * group shows depends on its controllers and on the profile of the kernel that
 * is modelled, since older kernels lack some.
 */
#include "kernel/cgroup.h"

#include "kernel/task_table.h"
#include "kernel/volume.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC       0x63677270
#define FIELDS_SIZE 64

/* Reading and writing of a file of a cgroup. */
struct file_kind {
    const char *name;
    mode_t mode;
    bool not_in_root;
    unsigned controller; /* the parent must have enabled it; 0: always there */
    int (*read)(struct cgroup *cgroup, struct view_text *text);
    int (*write)(struct cgroup *cgroup, struct task *caller, const char *word);
    uint64_t *(*limit)(struct cgroup *cgroup); /* instead of both: a number, or "max" */
};

/* What an inode of the view is of: its object. */
struct node {
    struct cgroup *cgroup;        /* held */
    const struct file_kind *kind; /* NULL: the folder */
};

static int read_procs(struct cgroup *cgroup, struct view_text *text)
{
    for (const struct task *task = cgroup->tasks; task; task = task->cgroup_next)
        view_add(text, "%d\n", (int)task->pid);
    return 0;
}

static int write_procs(struct cgroup *cgroup, struct task *caller, const char *word)
{
    int pid;

    if (sscanf(word, "%d", &pid) != 1 || pid < 0)
        return -EINVAL;
    struct task *task = pid == 0 ? caller : task_find(caller->table, pid);
    return task ? cgroup_attach(cgroup, task) : -ESRCH;
}

static int read_events(struct cgroup *cgroup, struct view_text *text)
{
    view_add(text, "populated %d\nfrozen %d\n", cgroup->n_below > 0 ? 1 : 0,
             cgroup_is_frozen(cgroup) ? 1 : 0);
    return 0;
}

static int write_kill(struct cgroup *cgroup, struct task *caller, const char *word)
{
    (void)caller;
    return strcmp(word, "1") == 0 ? cgroup_kill(cgroup) : -ERANGE;
}

static int read_freeze(struct cgroup *cgroup, struct view_text *text)
{
    view_add(text, "%d\n", cgroup->frozen ? 1 : 0);
    return 0;
}

static int write_freeze(struct cgroup *cgroup, struct task *caller, const char *word)
{
    (void)caller;
    if (strcmp(word, "0") != 0 && strcmp(word, "1") != 0)
        return *word >= '0' && *word <= '9' ? -ERANGE : -EINVAL;
    return cgroup_freeze(cgroup, *word == '1');
}

static const struct controller {
    const char *name;
    unsigned bit;
} controllers[] = {
    {"cpu", CGROUP_CPU}, {"io", CGROUP_IO}, {"memory", CGROUP_MEMORY}, {"pids", CGROUP_PIDS}};

/* The names, separated by spaces, in the order of the kernel. */
static void add_controllers(struct view_text *text, unsigned set)
{
    bool any = false;

    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
        if (!(set & controllers[i].bit))
            continue;
        view_add(text, "%s%s", any ? " " : "", controllers[i].name);
        any = true;
    }
    view_add(text, "\n");
}

/* What may be enabled below it. */
static unsigned available(const struct cgroup *cgroup)
{
    return cgroup->parent ? cgroup->parent->enabled
                          : cgroup_tree_profile(cgroup->tree)->controllers;
}

static int read_controllers(struct cgroup *cgroup, struct view_text *text)
{
    add_controllers(text, available(cgroup));
    return 0;
}

static int read_subtree(struct cgroup *cgroup, struct view_text *text)
{
    add_controllers(text, cgroup->enabled);
    return 0;
}

static unsigned controller_of(const char *name)
{
    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
        if (strcmp(name, controllers[i].name) == 0)
            return controllers[i].bit;
    return 0;
}

static bool is_enabled_below(const struct cgroup *cgroup, unsigned set)
{
    for (const struct cgroup *child = cgroup->children; child; child = child->next)
        if (child->enabled & set)
            return true;
    return false;
}

/* "+memory -cpu" */
static int write_subtree(struct cgroup *cgroup, struct task *caller, const char *words)
{
    char word[FIELDS_SIZE];
    unsigned more = 0, fewer = 0;

    (void)caller;
    for (int n; sscanf(words, " %63s%n", word, &n) == 1; words += n) {
        unsigned bit = controller_of(word + 1);

        if (bit == 0 || (*word != '+' && *word != '-'))
            return -EINVAL;
        *(*word == '+' ? &more : &fewer) |= bit;
    }
    if (more & ~available(cgroup))
        return -ENOENT;
    if (fewer != 0 && is_enabled_below(cgroup, fewer))
        return -EBUSY;
    if ((more & ~cgroup->enabled) && cgroup->parent && cgroup->n_tasks > 0)
        return -EBUSY;
    cgroup->enabled = (cgroup->enabled | more) & ~fewer;
    return 0;
}

static uint64_t *memory_max_of(struct cgroup *cgroup)
{
    return &cgroup->memory_max;
}

static uint64_t *memory_high_of(struct cgroup *cgroup)
{
    return &cgroup->memory_high;
}

static uint64_t *pids_max_of(struct cgroup *cgroup)
{
    return &cgroup->pids_max;
}

static int read_weight(struct cgroup *cgroup, struct view_text *text)
{
    view_add(text, "%llu\n", (unsigned long long)(cgroup->cpu_weight ? cgroup->cpu_weight : 100));
    return 0;
}

/* 1 to 10000, as the kernel checks it. */
static int write_weight(struct cgroup *cgroup, struct task *caller, const char *word)
{
    unsigned long long weight;

    (void)caller;
    if (sscanf(word, "%llu", &weight) != 1)
        return -EINVAL;
    if (weight < 1 || weight > 10000)
        return -ERANGE;
    cgroup->cpu_weight = weight;
    return 0;
}

static int read_cpu_max(struct cgroup *cgroup, struct view_text *text)
{
    unsigned long long period = cgroup->cpu_period_usec ? cgroup->cpu_period_usec : 100000;

    if (cgroup->cpu_quota_usec > 0)
        view_add(text, "%llu %llu\n", (unsigned long long)cgroup->cpu_quota_usec, period);
    else
        view_add(text, "max %llu\n", period);
    return 0;
}

/* Quota and period in microseconds; "max" takes the limit away. */
static int write_cpu_max(struct cgroup *cgroup, struct task *caller, const char *word)
{
    unsigned long long quota = 0, period = 100000;

    (void)caller;
    if (sscanf(word, "%llu %llu", &quota, &period) < 1 && sscanf(word, "max %llu", &period) < 1 &&
        strncmp(word, "max", 3) != 0)
        return -EINVAL;
    cgroup->cpu_quota_usec = quota;
    cgroup->cpu_period_usec = period;
    return 0;
}

static uint64_t memory_of(const struct cgroup *cgroup)
{
    uint64_t bytes = 0;

    for (const struct task *task = cgroup->tasks; task; task = task->cgroup_next)
        bytes += task->memory_bytes;
    for (const struct cgroup *child = cgroup->children; child; child = child->next)
        bytes += memory_of(child);
    return bytes;
}

static uint64_t cpu_of(const struct cgroup *cgroup)
{
    uint64_t nsec = 0;

    for (const struct task *task = cgroup->tasks; task; task = task->cgroup_next)
        nsec += task->cpu_nsec;
    for (const struct cgroup *child = cgroup->children; child; child = child->next)
        nsec += cpu_of(child);
    return nsec;
}

static int read_memory(struct cgroup *cgroup, struct view_text *text)
{
    view_add(text, "%llu\n", (unsigned long long)memory_of(cgroup));
    return 0;
}

static int read_memory_events(struct cgroup *cgroup, struct view_text *text)
{
    unsigned long long kills = cgroup->oom_kills;

    view_add(text, "low 0\nhigh 0\nmax 0\noom %llu\noom_kill %llu\noom_group_kill 0\n", kills,
             kills);
    return 0;
}

static int read_cpu_stat(struct cgroup *cgroup, struct view_text *text)
{
    unsigned long long usec = cpu_of(cgroup) / 1000;

    view_add(text, "usage_usec %llu\nuser_usec %llu\nsystem_usec 0\n", usec, usec);
    return 0;
}

static int read_pids(struct cgroup *cgroup, struct view_text *text)
{
    view_add(text, "%zu\n", cgroup->n_below);
    return 0;
}

static int read_type(struct cgroup *cgroup, struct view_text *text)
{
    (void)cgroup;
    view_add(text, "domain\n");
    return 0;
}

static const struct file_kind kinds[] = {
    {"cgroup.procs", 0644, false, 0, read_procs, write_procs, NULL},
    {"cgroup.controllers", 0444, false, 0, read_controllers, NULL, NULL},
    {"cgroup.subtree_control", 0644, false, 0, read_subtree, write_subtree, NULL},
    {"cgroup.events", 0444, true, 0, read_events, NULL, NULL},
    {"cgroup.type", 0644, true, 0, read_type, NULL, NULL},
    {"cgroup.freeze", 0644, true, 0, read_freeze, write_freeze, NULL},
    {"cgroup.kill", 0200, true, 0, NULL, write_kill, NULL},
    {"cpu.stat", 0444, false, 0, read_cpu_stat, NULL, NULL},
    {"cpu.max", 0644, true, CGROUP_CPU, read_cpu_max, write_cpu_max, NULL},
    {"cpu.weight", 0644, true, CGROUP_CPU, read_weight, write_weight, NULL},
    {"memory.current", 0444, true, CGROUP_MEMORY, read_memory, NULL, NULL},
    {"memory.events", 0444, true, CGROUP_MEMORY, read_memory_events, NULL, NULL},
    {"memory.high", 0644, true, CGROUP_MEMORY, NULL, NULL, memory_high_of},
    {"memory.max", 0644, true, CGROUP_MEMORY, NULL, NULL, memory_max_of},
    {"pids.current", 0444, true, CGROUP_PIDS, read_pids, NULL, NULL},
    {"pids.max", 0644, true, CGROUP_PIDS, NULL, NULL, pids_max_of},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The root has fewer files, and so have kernels without cgroup.kill or
 * cgroup.freeze. */
static bool has_kind(const struct cgroup *cgroup, const struct file_kind *kind)
{
    const struct cgroup_profile *profile = cgroup_tree_profile(cgroup->tree);

    if (kind->not_in_root && !cgroup->parent)
        return false;
    if (kind->controller != 0 && !(available(cgroup) & kind->controller))
        return false;
    if (strcmp(kind->name, "cgroup.kill") == 0)
        return !profile->no_kill;
    return strcmp(kind->name, "cgroup.freeze") != 0 || !profile->no_freeze;
}

static const struct view cgroup_view;

static struct node *node_of(const struct inode *inode)
{
    return inode->object;
}

/* Inodes of views are made when they are looked up. Their numbers are worked
 * out from the group's, so that two of the same file have the same number. */
static struct inode *make_inode(struct volume *volume, struct cgroup *cgroup,
                                const struct file_kind *kind, struct inode *parent)
{
    mode_t mode = kind ? S_IFREG | kind->mode : S_IFDIR | cgroup->mode;
    struct inode *inode = inode_new(volume, mode, cgroup->owner, cgroup->group);
    struct node *node = calloc(1, sizeof(*node));

    INVARIANT(node);
    *node = (struct node){cgroup_hold(cgroup), kind};
    inode->object = node;
    inode->view = &cgroup_view;
    inode->number = cgroup->number * (KINDS + 1) + (kind ? 1 + (size_t)(kind - kinds) : 0);
    inode->links = 1;
    inode->parent = parent ? inode_hold(parent) : inode;
    return inode;
}

/* A group shows its children before its files; a removed one shows neither. */
static int look_up(struct inode *folder, struct task *caller, const char *name,
                   struct inode **found)
{
    struct cgroup *cgroup = node_of(folder)->cgroup;
    struct cgroup *child = cgroup_find(cgroup, name);

    (void)caller;
    if (child) {
        *found = make_inode(folder->volume, child, NULL, folder);
        return 0;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (cgroup->removed || strcmp(kinds[i].name, name) != 0 || !has_kind(cgroup, &kinds[i]))
            continue;
        *found = make_inode(folder->volume, cgroup, &kinds[i], folder);
        return 0;
    }
    return -ENOENT;
}

/* Files first, then groups. */
static int list(struct inode *folder, struct task *caller,
                void (*add)(void *userdata, const char *name, uint64_t number, mode_t mode),
                void *userdata)
{
    const struct cgroup *cgroup = node_of(folder)->cgroup;

    (void)caller;
    if (cgroup->removed)
        return 0;
    for (size_t i = 0; i < KINDS; i++)
        if (has_kind(cgroup, &kinds[i]))
            add(userdata, kinds[i].name, cgroup->number * (KINDS + 1) + 1 + i, S_IFREG);
    for (const struct cgroup *child = cgroup->children; child; child = child->next)
        add(userdata, child->name, child->number * (KINDS + 1), S_IFDIR);
    return 0;
}

/* Files of limits are all alike: a number or "max". */
static int read_file(struct inode *file, struct task *caller, struct view_text *text)
{
    const struct node *node = node_of(file);

    (void)caller;
    if (node->cgroup->removed)
        return -ENODEV;
    if (node->kind->limit) {
        uint64_t limit = *node->kind->limit(node->cgroup);

        if (limit == 0)
            view_add(text, "max\n");
        else
            view_add(text, "%llu\n", (unsigned long long)limit);
        return 0;
    }
    return node->kind->read ? node->kind->read(node->cgroup, text) : -EINVAL;
}

/* 0 would mean "max" in the model; the kernel's 0 is kept as the smallest
 * limit. */
static int write_limit(uint64_t *limit, const char *word)
{
    unsigned long long number;

    if (strcmp(word, "max") == 0) {
        *limit = 0;
        return 0;
    }
    if (sscanf(word, "%llu", &number) != 1)
        return -EINVAL;
    *limit = number > 0 ? number : 1;
    return 0;
}

/* One write is one value, with or without a newline. */
static int write_file(struct inode *file, struct task *caller, const char *bytes, size_t size)
{
    const struct node *node = node_of(file);
    char word[FIELDS_SIZE];

    if (node->cgroup->removed)
        return -ENODEV;
    if (size >= sizeof(word))
        return -EINVAL;
    memcpy(word, bytes, size);
    word[size] = '\0';
    word[strcspn(word, "\n")] = '\0';
    if (node->kind->limit)
        return write_limit(node->kind->limit(node->cgroup), word);
    return node->kind->write ? node->kind->write(node->cgroup, caller, word) : -EINVAL;
}

/* Makes a group that belongs to its maker, as delegation needs it. */
static int make_folder(struct inode *folder, struct task *caller, const char *name, mode_t mode)
{
    struct cgroup *made;
    int r = cgroup_make(node_of(folder)->cgroup, name, &made);

    if (r < 0)
        return r;
    made->mode = mode & 0777;
    made->owner = caller->identity.uid;
    made->group = caller->identity.gid;
    return 0;
}

static int remove_folder(struct inode *folder, struct task *caller, const char *name)
{
    struct cgroup *cgroup = cgroup_find(node_of(folder)->cgroup, name);

    (void)caller;
    return cgroup ? cgroup_remove(cgroup) : -ENOENT;
}

static uint64_t version(const struct inode *file)
{
    const struct node *node = node_of(file);

    if (!node->kind)
        return 0;
    return node->kind->read == read_events ? node->cgroup->version : 1;
}

static const char *name_of(const struct inode *inode)
{
    const struct node *node = node_of(inode);

    return node->kind ? node->kind->name : node->cgroup->name;
}

static void release(struct inode *inode)
{
    struct node *node = node_of(inode);

    if (inode->parent != inode)
        inode_release(inode->parent);
    cgroup_release(node->cgroup);
    free(node);
}

static const struct view cgroup_view = {
    .look_up = look_up,
    .list = list,
    .read = read_file,
    .write = write_file,
    .make_folder = make_folder,
    .remove_folder = remove_folder,
    .version = version,
    .name = name_of,
    .release = release,
};

struct volume *cgroup_files_new(struct cgroup_tree *tree, struct chance *chance, dev_t device)
{
    struct volume *volume = volume_new(VOLUME_VIEW, chance, device);

    inode_release(volume->root);
    volume->root = make_inode(volume, cgroup_root(tree), NULL, NULL);
    volume->type = "cgroup2";
    volume->magic = MAGIC;
    return volume;
}

struct cgroup *cgroup_of_inode(const struct inode *folder)
{
    if (folder->view != &cgroup_view || node_of(folder)->kind)
        return NULL;
    return node_of(folder)->cgroup;
}
