/*
 * Cgroups, version 2: one leaf per child, below a directory that belongs to
 * this proctord. Membership is inherited and cannot be left, so a leaf that is
 * empty proves that an attempt is over; killing a leaf kills everything in it,
 * whatever it forks meanwhile.
 */
#include "host/cgroup.h"

#include "core/vocabulary/invariant.h"
#include "system/again.h"
#include "host/members.h"
#include "system/handle.h"
#include "system/number.h"
#include "system/proc_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK      "check." /* begins the name of a health check's leaf */
#define THAWED_MAX 256      /* cgroups below a leaf; a program that has more thaws them itself */

/* Files of a cgroup are written with one call; a short write does not exist. */
static int write_at(int directory, const char *path, const char *text)
{
    int fd = again_open(directory, path, O_WRONLY);
    if (fd < 0)
        return fd;
    ssize_t n = write(fd, text, strlen(text));
    for (int i = 0; n < 0 && again_may_help(-errno) && i < 3; i++)
        n = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    return n < 0 ? -error : 0;
}

/* Where cgroup2 is mounted, in the caller's buffer. */
static int find_mount(char *mount, size_t size)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t capacity = 0;
    int r = -ENOENT;

    if (!file)
        return -errno;
    while (r < 0 && getline(&line, &capacity, file) > 0) {
        char point[512], *type = strstr(line, " - ");
        if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
            continue;
        if (sscanf(line, "%*s %*s %*s %*s %511s", point) == 1 && strlen(point) < size) {
            strcpy(mount, point);
            r = 0;
        }
    }
    if (r < 0 && ferror(file))
        r = -EIO;
    free(line);
    fclose(file);
    return r;
}

/* A child may have made cgroups of its own inside its leaf. The depth is
 * bounded. */
static void remove_below(int directory, int depth)
{
    int error;
    DIR *folder = again_folder(directory, ".", &error);
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        int inner = openat(dirfd(folder), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (inner >= 0 && depth > 0)
            remove_below(inner, depth - 1);
        if (inner >= 0)
            close(inner);
        unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    }
    closedir(folder);
}

/* Its attempt's alone: what is left in it is to be kept. No id has this character. */
static bool is_marked(const char *leaf)
{
    return strchr(leaf, '~') != NULL;
}

static bool is_folder(const struct dirent *entry)
{
    return entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
           strlen(entry->d_name) < CGROUP_LEAF_MAX;
}

/* How many leaves are marked, and are not empty. */
static size_t marked_leaves(const struct cgroup_base *base)
{
    int error = 0;
    size_t count = 0;
    DIR *folder = again_folder(base->fd, ".", &error);

    for (struct dirent *entry; folder && (entry = again_next(folder, &error));)
        count +=
            is_folder(entry) && is_marked(entry->d_name) && !cgroup_leaf_empty(base, entry->d_name);
    if (folder)
        closedir(folder);
    return count;
}

static void kill_and_remove(const struct cgroup_base *base, const char *leaf)
{
    cgroup_leaf_kill(base, leaf);
    for (int i = 0; i < 200 && cgroup_leaf_remove(base, leaf) == -EBUSY; i++) {
        usleep(1000);     /* the kernel is ending them; nothing else is to be done yet */
        if (i % 20 == 19) /* one whose main thread has ended is not reached by that */
            members_kill(base, leaf);
    }
}

/* Kills what is in the others, one after the other. */
static void sweep_unmarked(const struct cgroup_base *base)
{
    int error = 0;
    DIR *folder = again_folder(base->fd, ".", &error);

    for (struct dirent *entry; folder && (entry = again_next(folder, &error));)
        if (is_folder(entry) && !is_marked(entry->d_name))
            kill_and_remove(base, entry->d_name);
    if (folder)
        closedir(folder);
}

/* Ends what a dead instance left behind: its children must not run beside ours. */
static void sweep(const struct cgroup_base *base)
{
    char events[256];

    if (marked_leaves(base) > 0) {
        sweep_unmarked(base);
        return;
    }
    if (write_at(base->fd, "cgroup.kill", "1") < 0)
        return;
    for (int i = 0; i < 200; i++) {
        if (again_read(base->fd, "cgroup.events", events, sizeof(events)) < 0 ||
            strstr(events, "populated 0"))
            break;
        usleep(5000); /* the kernel is ending them; there is nothing else to do yet */
    }
    remove_below(base->fd, CGROUP_DEPTH_MAX);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static const struct {
    const char *controller, *file, *none;
    enum unenforced bit;
} limits[] = {
    {"memory", "memory.max", "max", UNENFORCED_MEMORY},
    {"memory", "memory.high", "max", UNENFORCED_MEMORY_HIGH},
    {"pids", "pids.max", "max", UNENFORCED_PIDS},
    {"cpu", "cpu.weight", "100", UNENFORCED_CPU_WEIGHT},
    {"cpu", "cpu.max", "max", UNENFORCED_CPU_MAX},
    {"io", "io.weight", "100", UNENFORCED_IO_WEIGHT},
};

#define N_LIMITS (sizeof(limits) / sizeof(limits[0]))

static uint64_t limit_of(const struct process_spec *spec, size_t i)
{
    const uint64_t values[N_LIMITS] = {spec->memory_max, spec->memory_high,  spec->pids_max,
                                       spec->cpu_weight, spec->cpu_max_usec, spec->io_weight};
    return values[i];
}

/* As bits, for the property UnenforcedLimits. */
unsigned cgroup_limits_of(const struct process_spec *spec)
{
    unsigned wanted = 0;

    INVARIANT(spec);
    for (size_t i = 0; i < N_LIMITS; i++)
        if (limit_of(spec, i) > 0)
            wanted |= limits[i].bit;
    return wanted;
}

static void own_leaf(const struct cgroup_base *base, char name[CGROUP_LEAF_MAX])
{
    snprintf(name, CGROUP_LEAF_MAX, "%.150s.self", strrchr(base->path, '/') + 1);
}

static bool is_ours(pid_t pid)
{
    uint64_t parent;
    int r = pid == getpid() ? 0 : proc_stat_read(pid, PROC_STAT_PARENT, &parent);

    if (pid == getpid() || (r < 0 && r != -ESRCH))
        return true; /* of the others: gone */
    return r == 0 && parent == (uint64_t)getpid();
}

/* Moves the processes of one cgroup (proctord, and its own bus) to another; all or none. */
static int move_processes(int directory, const char *from, const char *to)
{
    char list[4096], number[24];
    ssize_t n = again_read(directory, from, list, sizeof(list));
    const char *at;
    uint64_t pid;

    if (n < 0)
        return (int)n;
    for (at = list; number_take(&at, &pid) == 0; at += *at != '\0')
        if (!is_ours((pid_t)pid))
            return -EBUSY; /* another program's cgroup: it is not for us to make room in it */
    for (at = list; number_take(&at, &pid) == 0; at += *at != '\0') {
        snprintf(number, sizeof(number), "%" PRIu64, pid);
        int r = write_at(directory, to, number);
        if (r < 0 && r != -ESRCH)
            return r;
    }
    return 0;
}

/* cgroup2 allows controllers only for directories without processes: proctord
 * moves itself and what is beside it into a leaf of its own. */
static int make_room(struct cgroup_base *base, int above)
{
    char leaf[CGROUP_LEAF_MAX], procs[CGROUP_LEAF_MAX + 20];

    own_leaf(base, leaf);
    if (mkdirat(above, leaf, 0755) < 0 && errno != EEXIST)
        return -errno;
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", leaf);
    int r = move_processes(above, "cgroup.procs", procs);
    if (r < 0)
        unlinkat(above, leaf, AT_REMOVEDIR);
    base->moved = r == 0;
    return r;
}

/* A controller has to be switched on at every level from above. */
static void switch_controller(struct cgroup_base *base, int above, const char *sign,
                              const char *controller)
{
    char word[32];

    snprintf(word, sizeof(word), "%s%s", sign, controller);
    if (write_at(above, "cgroup.subtree_control", word) == -EBUSY && !base->moved &&
        make_room(base, above) == 0)
        write_at(above, "cgroup.subtree_control", word);
    write_at(base->fd, "cgroup.subtree_control", word);
}

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = text; (at = strstr(at, word)); at += length)
        if ((at == text || at[-1] == ' ') && strchr(" \n", at[length]))
            return true;
    return false;
}

static void look_for_memory(struct cgroup_base *base)
{
    char switched_on[1024];

    if (again_read(base->fd, "cgroup.subtree_control", switched_on, sizeof(switched_on)) >= 0)
        base->counts_memory = has_word(switched_on, "memory");
}

/* Once, with the first child that needs one: if no child has limits, nothing is
 * changed. */
static void ask_for_controllers(struct cgroup_base *base)
{
    char available[1024];
    int above = openat(base->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    base->asked = true;
    if (above < 0)
        return;
    if (again_read(above, "cgroup.controllers", available, sizeof(available)) >= 0)
        for (size_t i = 0; i < N_LIMITS; i++)
            if (has_word(available, limits[i].controller))
                switch_controller(base, above, "+", limits[i].controller);
    close(above);
    look_for_memory(base);
}

/* Also writes the default where no limit is declared, since the leaf may have
 * had one. Returns what could not be enforced. */
unsigned cgroup_leaf_limit(struct cgroup_base *base, int leaf, const struct process_spec *spec)
{
    unsigned unenforced = cgroup_limits_of(spec);
    char number[24];

    INVARIANT(spec);
    if (unenforced && !base->asked)
        ask_for_controllers(base);
    for (size_t i = 0; base->asked && i < N_LIMITS; i++) {
        uint64_t value = limit_of(spec, i);
        snprintf(number, sizeof(number), "%" PRIu64, value);
        /* A leaf may have had another limit before the manifest was changed. */
        if (write_at(leaf, limits[i].file, value > 0 ? number : limits[i].none) == 0)
            unenforced &= ~(unsigned)limits[i].bit;
    }
    return unenforced;
}

/* Undoes it at the end, so that nothing of us is left. */
static void move_back(struct cgroup_base *base)
{
    char leaf[CGROUP_LEAF_MAX], procs[CGROUP_LEAF_MAX + 20];
    int above = base->moved ? openat(base->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (above < 0)
        return;
    own_leaf(base, leaf);
    for (size_t i = 0; i < N_LIMITS; i++) {
        char word[32];
        snprintf(word, sizeof(word), "-%s", limits[i].controller);
        write_at(base->fd, "cgroup.subtree_control", word);
        write_at(above, "cgroup.subtree_control", word);
    }
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", leaf);
    move_processes(above, procs, "cgroup.procs");
    unlinkat(above, leaf, AT_REMOVEDIR);
    close(above);
}
/* A proctord that made room for controllers, and replaced itself, is in its own leaf. */
static void leave_own_leaf(char *own)
{
    char *last = strrchr(own, '/');
    size_t length = last ? strlen(last) : 0;

    if (length > 15 && strncmp(last, "/proctor-", 9) == 0 &&
        strcmp(last + length - 5, ".self") == 0)
        *(last > own ? last : last + 1) = '\0';
}

/* Only trying it shows whether a hierarchy can be used: mounts, delegation and
 * containers make every other test unreliable. */
static int open_base(struct cgroup_base *base, const char *instance, bool keep)
{
    char mount[512], own[1024];

    *base = (struct cgroup_base){.fd = -1};
    int r = find_mount(mount, sizeof(mount));
    if (r == 0)
        r = cgroup_kernel_path("/proc/self/cgroup", own, sizeof(own));
    if (r < 0)
        return r;
    leave_own_leaf(own);
    const char *slash = strcmp(own, "/") == 0 ? "" : own;
    if (asprintf(&base->path, "%s%s/proctor-%s", mount, slash, instance) < 0 ||
        asprintf(&base->kernel_path, "%s/proctor-%s/", slash, instance) < 0)
        return -ENOMEM;
    if (mkdir(base->path, 0755) < 0 && errno != EEXIST)
        return -errno;
    int fd = again_open(AT_FDCWD, base->path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    base->fd = fd;
    if (!keep)
        sweep(base);
    look_for_memory(base);

    /* Only a leaf that can be made shows that children can be put into leaves. */
    int leaf = cgroup_leaf_make(base, "probe");
    if (leaf >= 0) {
        close(leaf);
        cgroup_leaf_remove(base, "probe");
        return 0;
    }
    close(base->fd);
    base->fd = -1;
    return leaf;
}

/* Retried, as directories of a proctord that has just ended may still be
 * busy. */
int cgroup_base_open(struct cgroup_base *base, const char *instance, bool keep)
{
    int r = -EAGAIN;

    for (int i = 0; i < 4 && again_may_help(r); i++) {
        r = open_base(base, instance, keep);
        if (r == 0)
            return 0;
        free(base->path);
        free(base->kernel_path);
        *base = (struct cgroup_base){.fd = -1};
    }
    return r;
}

/* With `keep` the children continue to run in it, for the next proctord. */
void cgroup_base_close(struct cgroup_base *base, bool keep)
{
    if (base->fd >= 0) {
        if (!keep) {
            sweep(base);
            move_back(base);
        }
        close(base->fd);
        rmdir(base->path);
    }
    free(base->path);
    free(base->kernel_path);
    *base = (struct cgroup_base){.fd = -1};
}

/* The child's id for people, and its slot and serial for us. A mark tells the
 * leaves of one child's attempts apart, if processes of an earlier one may be
 * left. */
void cgroup_leaf_name(const char *child_id, struct attempt_id id, uint64_t mark,
                      char name[CGROUP_LEAF_MAX])
{
    char marked[24] = "";

    if (mark > 0)
        snprintf(marked, sizeof(marked), "~%" PRIu64, mark);
    snprintf(name, CGROUP_LEAF_MAX, "%.64s%s.%" PRIu32 ".%" PRIu32, child_id, marked, id.slot,
             id.serial);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '+';
}

void cgroup_check_name(const char *leaf, uint32_t check, char name[CGROUP_LEAF_MAX])
{
    snprintf(name, CGROUP_LEAF_MAX, "%.120s/" CHECK "%" PRIu32, leaf, check);
}

/* Health checks of an earlier proctord: nothing waits for them. */
void cgroup_checks_sweep(const struct cgroup_base *base, const char *leaf)
{
    char name[CGROUP_LEAF_MAX];
    int error = 0;
    DIR *folder = again_folder(base->fd, leaf, &error);

    for (struct dirent *entry; folder && (entry = again_next(folder, &error));)
        if (is_folder(entry) && strncmp(entry->d_name, CHECK, strlen(CHECK)) == 0) {
            snprintf(name, sizeof(name), "%.120s/%.30s", leaf, entry->d_name);
            kill_and_remove(base, name);
        }
    if (folder)
        closedir(folder);
}

/* Leaves of earlier attempts (leftovers: keep), as soon as they are empty. */
void cgroup_marked_tidy(const struct cgroup_base *base)
{
    int error = 0;
    DIR *folder = again_folder(base->fd, ".", &error);

    for (struct dirent *entry; folder && (entry = again_next(folder, &error));)
        if (is_folder(entry) && is_marked(entry->d_name))
            cgroup_leaf_remove(base, entry->d_name);
    if (folder)
        closedir(folder);
}

/* 0: it has none. */
static uint64_t mark_of(const char *name, size_t length)
{
    const char *mark = memchr(name, '~', length);
    uint64_t number = 0;

    if (mark)
        mark++;
    return mark && number_take(&mark, &number) == 0 ? number : 0;
}

/* From the end: a child's id may contain dots. */
static int parse_leaf_name(const char *name, size_t length, struct attempt_id *id)
{
    char text[CGROUP_LEAF_MAX];

    if (length >= sizeof(text))
        return -ENOENT;
    memcpy(text, name, length);
    text[length] = '\0';
    char *field = text + length;
    for (int dots = 0; dots < 2; dots++) {
        do {
            if (--field <= text)
                return -ENOENT;
        } while (*field != '.');
    }
    const char *number = field + 1;
    uint64_t slot, serial;
    if (number_take(&number, &slot) < 0 || slot > UINT32_MAX || *number != '.' ||
        number_read(number + 1, UINT32_MAX, &serial) < 0)
        return -ENOENT;
    id->slot = (uint32_t)slot;
    id->serial = (uint32_t)serial;
    return 0;
}

/* Opened if it is there. */
int cgroup_leaf_make(const struct cgroup_base *base, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = openat(base->fd, name, flags);

    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(base->fd, name, 0755) < 0)
            return -errno;
        fd = openat(base->fd, name, flags);
    }
    return fd < 0 ? -errno : fd;
}

bool cgroup_leaf_look(const struct cgroup_base *base, const char *name, int *fd)
{
    char path[CGROUP_LEAF_MAX + 20], events[256];

    snprintf(path, sizeof(path), "%s/cgroup.events", name);
    ssize_t n = again_read_open(base->fd, path, events, sizeof(events), fd);
    if (n >= 0)
        return strstr(events, "populated 0") != NULL;
    *fd = -1;
    return n == -ENOENT || n == -ENODEV;
}

bool cgroup_leaf_empty(const struct cgroup_base *base, const char *name)
{
    int fd;
    bool empty = cgroup_leaf_look(base, name, &fd);

    if (fd >= 0)
        close(fd);
    return empty;
}

/* Busy may mean processes, or only directories that the child made. */
int cgroup_leaf_remove(const struct cgroup_base *base, const char *name)
{
    if (unlinkat(base->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    /* Busy: processes, or only empty folders that the child made. */
    if (!cgroup_leaf_empty(base, name))
        return -EBUSY;
    int fd = openat(base->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        remove_below(fd, CGROUP_DEPTH_MAX);
        close(fd);
    }
    if (unlinkat(base->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    return -errno;
}

/* One write kills them all. Before Linux 5.14 they are killed one by one, until
 * no new one appears. */
int cgroup_leaf_kill(const struct cgroup_base *base, const char *name)
{
    char path[CGROUP_LEAF_MAX + 20];

    snprintf(path, sizeof(path), "%s/cgroup.kill", name);
    int r = write_at(base->fd, path, "1");
    if (r == -ENOENT) /* before Linux 5.14: one by one, until none forks any more */
        for (int i = 0; i < 16 && members_kill(base, name) > 0; i++)
            r = 0;
    return r;
}

/* A frozen process does not die, so everything is thawed before a kill is
 * waited for. */
static void thaw_below(int directory, const char *name, int depth, int *folders)
{
    char path[NAME_MAX + 20];
    int error = 0;

    snprintf(path, sizeof(path), "%s/cgroup.freeze", name);
    write_at(directory, path, "0");
    DIR *folder = depth > 0 ? again_folder(directory, name, &error) : NULL;
    for (struct dirent *entry; folder && *folders > 0 && (entry = again_next(folder, &error));)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
            --*folders;
            thaw_below(dirfd(folder), entry->d_name, depth - 1, folders);
        }
    if (folder)
        closedir(folder);
}

void cgroup_leaf_thaw(const struct cgroup_base *base, const char *name)
{
    int folders = THAWED_MAX;

    thaw_below(base->fd, name, CGROUP_DEPTH_MAX, &folders);
}

int cgroup_leaf_watch(const struct cgroup_base *base, const char *name)
{
    char path[CGROUP_LEAF_MAX + 20];

    snprintf(path, sizeof(path), "%s/cgroup.events", name);
    return again_open(base->fd, path, O_RDONLY);
}

/* One number of a flat file. */
static uint64_t value_of(const struct cgroup_base *base, const char *name, const char *file,
                         const char *key)
{
    char path[CGROUP_LEAF_MAX + 20], text[4096];
    uint64_t value = 0;

    snprintf(path, sizeof(path), "%s/%s", name, file);
    if (again_read(base->fd, path, text, sizeof(text)) < 0)
        return 0;
    const char *found = *key ? strstr(text, key) : text;
    if (!found)
        return 0;
    found += strlen(key);
    found += strspn(found, " ");
    return number_take(&found, &value) < 0 ? 0 : value;
}

uint64_t cgroup_leaf_oom_kills(const struct cgroup_base *base, const char *name)
{
    return base->counts_memory ? value_of(base, name, "memory.events", "oom_kill ") : 0;
}

uint64_t cgroup_leaf_cpu(const struct cgroup_base *base, const char *name)
{
    return value_of(base, name, "cpu.stat", "usage_usec ") * 1000;
}

void cgroup_leaf_usage(const struct cgroup_base *base, const char *name, uint64_t *cpu_nsec,
                       uint64_t *memory_bytes)
{
    *cpu_nsec = cgroup_leaf_cpu(base, name);
    *memory_bytes = base->counts_memory ? value_of(base, name, "memory.current", "") : 0;
}

/* Leaves that belong to no child any more. Those with a mark hold processes
 * that the manifest wanted to be kept. */
static int tidy(const struct cgroup_base *base,
                bool (*is_used)(void *userdata, const struct attempt_id *id), void *userdata)
{
    int error = 0;
    DIR *folder = again_folder(base->fd, ".", &error);

    if (!folder)
        return error;
    for (struct dirent *entry; (entry = again_next(folder, &error));) {
        struct attempt_id id = {};
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        if (parse_leaf_name(entry->d_name, strlen(entry->d_name), &id) == 0 &&
            is_used(userdata, &id))
            continue;
        if (is_marked(entry->d_name))
            cgroup_leaf_remove(base, entry->d_name);
        else
            kill_and_remove(base, entry->d_name);
    }
    closedir(folder);
    return error;
}

void cgroup_base_tidy(const struct cgroup_base *base,
                      bool (*is_used)(void *userdata, const struct attempt_id *id), void *userdata)
{
    INVARIANT(is_used);
    for (int i = 0; base->fd >= 0 && i < 3 && tidy(base, is_used, userdata) < 0; i++)
        ;
}

/* The child that a process belongs to, by its cgroup: the one proof that needs
 * no trust in the process. */
int cgroup_child_of(const struct cgroup_base *base, pid_t pid, struct attempt_id *id,
                    uint64_t *mark)
{
    char proc[64], path[2048];

    INVARIANT(id && mark);
    snprintf(proc, sizeof(proc), "/proc/%d/cgroup", (int)pid);
    int r = cgroup_kernel_path(proc, path, sizeof(path));
    if (r < 0)
        return r == -ENOENT ? -ESRCH : r;
    size_t prefix = strlen(base->kernel_path);
    if (strncmp(path, base->kernel_path, prefix) != 0)
        return -ENOENT;
    size_t length = strcspn(path + prefix, "/ ");
    *mark = mark_of(path + prefix, length);
    return parse_leaf_name(path + prefix, length, id);
}
