/*
 * Orphans: proctord is a subreaper (or PID 1), so a process that loses its parent comes to us.
 * Zombies are reaped; one that belonged to an attempt (a double fork) is found by the identity that
 * the attempt was given in its environment, and goes with it.
 *
 * An environment proves nothing. A process that lies about it dies with the attempt that it names,
 * and that is all: only processes of the attempt's own user are waited for.
 */
#include "again.h"
#include "clock.h"
#include "handle.h"
#include "number.h"
#include "open_regular.h"
#include "owner_user.h"
#include "crowd.h"
#include "proc_stat.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENVIRONMENT_LIMIT (128 * 1024)
#define THREADS_MAX       16                /* looked at for what their process was started with */
#define IS_EXITING        0x4               /* PF_EXITING and */
#define IS_KERNELS        0x200000          /* PF_KTHREAD, of PROC_STAT_FLAGS */
#define LIST_MAX          (1024 * 1024)     /* bytes of the numbers of our children */
#define LISTINGS          8                 /* of all processes, until no new one is there */
#define SWEEP_USEC        UINT64_C(2000000) /* until what was killed is gone, */
#define SWEEP_MSEC        20                /* with so long for each process */
#define UNTOLD_USEC       UINT64_C(1000000) /* a process on its way out is waited for */

static const char *variable(const char *block, size_t size, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = block; at < block + size; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

static ssize_t read_all(int fd, char *block, size_t size)
{
    size_t used = 0;

    for (int tries = 0; used < size;) {
        ssize_t n = read(fd, block + used, size - used);
        if (n == 0)
            break;
        if (n > 0)
            used += (size_t)n;
        else if (!again_may_help(-errno) || ++tries == 4)
            return -errno;
    }
    return (ssize_t)used;
}

static ssize_t read_environ(const char *path, char *block)
{
    int fd = again_open(AT_FDCWD, path, O_RDONLY);
    if (fd < 0)
        return fd;
    ssize_t n = read_all(fd, block, ENVIRONMENT_LIMIT);
    close(fd);
    return n;
}

/* If the main thread has ended, the others still show it. */
static ssize_t read_environ_of_thread(pid_t pid, char *block)
{
    char path[128];
    int error = 0;
    ssize_t n = 0;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *folder = again_folder(AT_FDCWD, path, &error);
    for (int i = 0; folder && n <= 0 && i < THREADS_MAX; i++) {
        const struct dirent *entry = again_next(folder, &error);
        if (!entry)
            break;
        snprintf(path, sizeof(path), "/proc/%d/task/%.16s/environ", (int)pid, entry->d_name);
        n = entry->d_name[0] == '.' ? 0 : read_environ(path, block);
    }
    if (folder)
        closedir(folder);
    return n > 0 ? n : 0;
}

/* What a process was started with; the caller frees it. Returns 0; -ESRCH where the process is
 * gone, or is none that we may look at; another error where it could not be read just now. */
static int read_environment(pid_t pid, char **block, size_t *size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    *block = malloc(ENVIRONMENT_LIMIT + 1);
    ssize_t n = *block ? read_environ(path, *block) : -ENOMEM;
    if (n == 0)
        n = read_environ_of_thread(pid, *block);
    if (n < 0) {
        free(*block);
        *block = NULL;
        return again_may_help((int)n) ? (int)n : -ESRCH;
    }
    (*block)[n] = '\0';
    *size = (size_t)n;
    return 0;
}

/*
 * The attempt that a process says it belongs to. Only a claim: enough to decide about one of our
 * own orphans, or to record a report as stale; never to count one. Returns 0; -ENOENT where it says
 * none, -ESRCH where it cannot say, and another error where that could not be read just now.
 */
static int claims(pid_t pid, const struct core *core, const char *notify_path, bool strict,
                  struct attempt_id *id, uint64_t *check)
{
    size_t size;
    char *block;
    int r = read_environment(pid, &block, &size);

    if (r < 0)
        return r;
    r = -ENOENT;
    const char *name = variable(block, size, "PROCTOR_CHILD");
    const char *generation = variable(block, size, "PROCTOR_GENERATION");
    const char *attempt = variable(block, size, "PROCTOR_ATTEMPT");
    const char *notify = variable(block, size, "NOTIFY_SOCKET");
    const char *number = variable(block, size, "PROCTOR_CHECK");
    const struct child *child = name && generation && attempt ? core_find(core, name) : NULL;

    if (notify ? strcmp(notify, notify_path) != 0 : strict)
        child = NULL; /* another proctord's */
    if (child && number_read(generation, UINT64_MAX, &id->generation) == 0 &&
        number_read(attempt, UINT64_MAX, &id->attempt) == 0) {
        id->slot = child->slot;
        id->serial = child->serial;
        if (!number || number_read(number, UINT32_MAX, check) < 0)
            *check = 0;
        r = 0;
    }
    free(block);
    return r;
}

int orphan_claims(pid_t pid, const struct core *core, const char *notify_path, bool strict,
                  struct attempt_id *id)
{
    uint64_t check;
    return claims(pid, core, notify_path, strict, id, &check);
}

/*
 * A process on its way out has lost its environment before its children are handed to us: for that
 * moment neither it nor they can be distinguished from strangers. During an exec the old
 * environment has gone, and the new one is not there yet. Kernel threads never have one.
 */
static bool is_between(pid_t pid, bool had_none)
{
    static const enum proc_stat_field fields[] = {PROC_STAT_FLAGS, PROC_STAT_ENVIRONMENT_END};
    uint64_t values[2];

    if (proc_stat_read_fields(pid, fields, 2, values) < 0 || (values[0] & IS_KERNELS) != 0)
        return false;
    return (values[0] & IS_EXITING) != 0 || (had_none && values[1] == 0);
}

/* One that hangs on its way out holds up no attempt: it might be anybody's. */
static bool is_waited_for_untold(const struct tree *tree)
{
    return tree->since_usec == 0 || clock_now_usec() - tree->since_usec < UNTOLD_USEC;
}

static const struct process *process_of(const struct tree *tree)
{
    const struct child *child = core_child_of(tree->host->core, tree->id);
    const struct process *process = child ? child->host : NULL;

    return process && process->id.attempt == tree->id.attempt ? process : NULL;
}

/* Whether it runs as the attempt's user: others are not waited for. */
static bool is_of_its_user(const struct tree *tree, pid_t pid)
{
    const struct process *process = process_of(tree);
    uid_t user, its;

    if (!process || owner_user(process, &user) < 0) /* its end was not seen */
        return true;
    return owner_user_of(pid, &its) == 0 && user == its;
}

/* 1: it was, 0: not, negative: it could not be read just now. */
static int was_given(pid_t pid, const char *notify_path)
{
    size_t size;
    char *block;
    int r = read_environment(pid, &block, &size);

    if (r < 0)
        return r == -ESRCH ? 0 : r;
    const char *notify = variable(block, size, "NOTIFY_SOCKET");
    bool ours =
        notify && variable(block, size, "PROCTOR_ATTEMPT") && strcmp(notify, notify_path) == 0;

    free(block);
    return ours;
}

static bool is_same(const struct attempt_id *a, const struct attempt_id *b)
{
    return a->slot == b->slot && a->serial == b->serial && a->attempt == b->attempt;
}

/* 1, 0, or negative where that could not be read just now. */
static int names(const struct tree *tree, pid_t pid, bool strict)
{
    const struct host *host = tree->host;
    struct attempt_id id;
    uint64_t check;
    int r = claims(pid, host->core, host->notify_path, strict, &id, &check);

    return r < 0 ? r : is_same(&id, &tree->id) && check == tree->check;
}

/* The same; *unseen if that is not known yet. An exec that is over by the second look was under
 * way at the first one, perhaps. */
static int names_by_now(const struct tree *tree, pid_t pid, bool strict, bool *unseen)
{
    int r = names(tree, pid, strict);
    bool between = r < 0 && is_between(pid, r == -ENOENT);

    if (r == -ENOENT && !between)
        r = names(tree, pid, strict);
    *unseen = r < 0 && (again_may_help(r) || (between && is_waited_for_untold(tree)));
    return r;
}

/* The number is its group's as long as a process is in it: the tree has looked (tree.c). */
static bool is_in_group(const struct crowd_search *search, pid_t pid)
{
    return search->group > 0 && getpgid(pid) == search->group;
}

/* A process that ends while it is examined may have left others, which are somewhere else by
 * then. */
static void count_ended(const struct crowd_search *search, int pidfd, bool named)
{
    if (handle_has_ended(pidfd) && (named || !search->strict))
        search->crowd->ended++;
}

/* Adds it where it is one of the tree. */
static void gather_one(const struct crowd_search *search, pid_t pid, int pidfd)
{
    const struct tree *tree = search->tree;
    bool unseen = false, in_group = is_in_group(search, pid);
    int r = in_group || search->group_alone ? in_group
                                            : names_by_now(tree, pid, search->strict, &unseen);

    search->crowd->unseen += unseen && !handle_has_ended(pidfd);
    if (r > 0) {
        crowd_add(search->crowd, pid, pidfd, in_group || is_of_its_user(tree, pid));
        crowd_add_below(search->crowd, pid);
        if (search->at_once > 0) /* it may be another process in a moment */
            handle_signal(pidfd, search->at_once);
    }
    if (r > 0 || unseen)
        count_ended(search, pidfd, r > 0);
}

static void gather(const struct crowd_search *search, pid_t pid)
{
    int pidfd = again_pidfd(pid);

    if (pidfd < 0) {
        search->crowd->unseen += again_may_help(pidfd);
        return;
    }
    if (!handle_has_ended(pidfd))
        gather_one(search, pid, pidfd);
    close(pidfd);
}

/* Not a main process, nor one of proctord's own. */
static bool may_be_orphan(const struct host *host, pid_t pid)
{
    return pid != host->spared && pid != spawner_pid(host->spawner) && !process_of_pid(host, pid);
}

void orphans_gather(const struct crowd_search *search)
{
    char path[64], *list;
    uint64_t pid;
    size_t length;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
    int r = read_regular(AT_FDCWD, path, LIST_MAX, &list, &length);
    if (r < 0) {
        search->crowd->unseen += again_may_help(r);
        return;
    }
    for (const char *at = list; number_take(&at, &pid) == 0; at += *at != '\0')
        if (may_be_orphan(search->tree->host, (pid_t)pid))
            gather(search, (pid_t)pid);
    free(list);
}

enum { NOT_MEANT, MEANT };

int process_claims(const struct process *process, pid_t pid)
{
    int r = names(&(struct tree){.host = process->host, .id = process->id}, pid, true);

    return r == -ENOENT || r == -ESRCH ? 0 : r;
}

struct listing {
    pid_t *pids; /* in their order, as /proc lists them */
    size_t n, room;
};

static int append(struct listing *listing, pid_t pid)
{
    if (listing->n == listing->room) {
        size_t room = listing->room > 0 ? listing->room * 2 : 256;
        pid_t *larger = realloc(listing->pids, room * sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        listing->pids = larger;
        listing->room = room;
    }
    listing->pids[listing->n++] = pid;
    return 0;
}

/* Returns 0, or why not all could be listed. */
static int list_all(struct listing *listing)
{
    int error = 0;
    DIR *folder = again_folder(AT_FDCWD, "/proc", &error);

    listing->n = 0;
    for (struct dirent *entry; folder && error == 0 && (entry = again_next(folder, &error));) {
        pid_t pid = proc_stat_pid(entry->d_name);
        if (pid > 1 && pid != getpid())
            error = append(listing, pid);
    }
    if (folder)
        closedir(folder);
    return error;
}

/* Examines all processes but the main ones of attempts that continue. A process that forks and
 * exits while this lasts has another number by then: those that have come meanwhile are looked at,
 * too. */
static void for_all(struct host *host, void (*look)(struct host *host, pid_t pid, void *userdata),
                    void *userdata, size_t *unseen)
{
    struct listing now = {}, before = {};
    size_t fresh = 1;

    for (int i = 0; i < LISTINGS && fresh > 0; i++) {
        struct listing last = before;
        before = now;
        now = last;
        *unseen += again_may_help(list_all(&now));
        fresh = 0;
        for (size_t k = 0, old = 0; k < now.n; k++) {
            while (old < before.n && before.pids[old] < now.pids[k])
                old++;
            if (old < before.n && before.pids[old] == now.pids[k])
                continue;
            fresh++;
            if (!process_of_pid(host, now.pids[k]))
                look(host, now.pids[k], userdata);
        }
    }
    free(now.pids);
    free(before.pids);
}

static void gather_stray(struct host *host, pid_t pid, void *userdata)
{
    (void)host;
    gather(userdata, pid);
}

/* Those of other users are signalled by what they say, but not waited for. */
void strays_gather(const struct crowd_search *search)
{
    struct crowd_search strict = *search;

    strict.strict = true;
    for_all(search->tree->host, gather_stray, &strict, &search->crowd->unseen);
}

/* Whether a process of that attempt may be there: it continues, also without its main process, or
 * it has left what is to be kept. */
static bool is_accounted_for(const struct host *host, const struct attempt_id *id, uint64_t check)
{
    const struct child *child = core_child_of(host->core, *id);

    if (!child || check > 0) /* a check is asked again */
        return false;
    if (child->attempt.active && child->attempt.number == id->attempt)
        return true;
    return child->config->declaration.leftovers == LEFTOVERS_KEEP && id->attempt <= child->attempts;
}

/* Left by an attempt of a child that is not there any more: the kernel says that it was to stay. */
static bool is_in_marked_leaf(const struct host *host, pid_t pid)
{
    struct attempt_id id;
    uint64_t mark;

    return host->cgroups.fd >= 0 && cgroup_child_of(&host->cgroups, pid, &id, &mark) == 0 &&
           mark > 0;
}

/* Names our notify socket, and belongs to no child. */
static int is_unaccounted(const struct host *host, pid_t pid)
{
    struct attempt_id id;
    uint64_t check;
    int r = was_given(pid, host->notify_path);

    if (r <= 0)
        return r;
    r = claims(pid, host->core, host->notify_path, true, &id, &check);
    if (r == -ENOENT && is_in_marked_leaf(host, pid))
        return NOT_MEANT;
    if (r < 0)
        return again_may_help(r) ? r : MEANT;
    return is_accounted_for(host, &id, check) ? NOT_MEANT : MEANT;
}

struct sweep {
    int wait_msec;
    size_t count;
};

/* The pidfd comes first: what is looked at afterwards is the same process, or none. */
static void sweep_one(struct host *host, pid_t pid, void *userdata)
{
    struct sweep *sweep = userdata;
    int pidfd = again_pidfd(pid);

    if (pidfd < 0) {
        sweep->count += again_may_help(pidfd);
        return;
    }
    int r = is_unaccounted(host, pid);
    sweep->count += r != NOT_MEANT;
    if (r == MEANT) {
        handle_signal(pidfd, SIGKILL);
        host->counters.leftovers_killed += sweep->wait_msec == 0;
        if (sweep->wait_msec > 0)
            poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, sweep->wait_msec);
    }
    close(pidfd);
}

/* Nothing has been started yet: nothing else waits for it. */
void strays_sweep(struct host *host)
{
    struct sweep sweep = {};
    uint64_t end = clock_now_usec() + SWEEP_USEC;

    for_all(host, sweep_one, &sweep, &sweep.count);
    while (sweep.count > 0 && clock_now_usec() < end) {
        sweep = (struct sweep){.wait_msec = SWEEP_MSEC};
        for_all(host, sweep_one, &sweep, &sweep.count);
    }
}
