#include "tree.h"

#include "again.h"
#include "crowd.h"
#include "handle.h"
#include "core/vocabulary/invariant.h"
#include "process.h"
#include "reap.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define KILLED_LOOK_USEC UINT64_C(20000)
#define LEFT_LOOK_USEC   UINT64_C(100000)

static const bool may_become[TREE_GONE + 1][TREE_GONE + 1] = {
    [TREE_WHOLE] = {[TREE_LEFT] = true, [TREE_KILLED] = true},
    [TREE_LEFT] = {[TREE_KILLED] = true, [TREE_GONE] = true},
    [TREE_KILLED] = {[TREE_GONE] = true},
};

static void become(struct tree *tree, enum tree_state state)
{
    if (tree->state == state)
        return;
    INVARIANT(may_become[tree->state][state]);
    tree->state = state;
}

static const struct cgroup_base *base_of(const struct tree *tree)
{
    return &tree->host->cgroups;
}

/* ---- who is there ---------------------------------------------------------------------------- */

static int signal_group(const struct tree *tree, int signal)
{
    return handle_signal_group(tree->group, tree->leader, signal);
}

/* Where the kernel does not know groups by their handle, it is forgotten with its leader's number,
 * and its members are found like orphans. */
static bool group_is_empty(const struct tree *tree)
{
    int r = signal_group(tree, 0);
    return r == -ESRCH || r == -ENOSYS;
}

static void gather(const struct tree *tree, struct crowd *crowd)
{
    if (tree->first > 0 && tree->check == 0)
        crowd_add_below(crowd, tree->first);
    orphans_gather(tree, crowd);
    if (tree->everywhere)
        strays_gather(tree, crowd);
}

size_t tree_count(const struct tree *tree)
{
    struct crowd crowd = {};

    if (tree->leaf[0])
        return (size_t)cgroup_leaf_signal(base_of(tree), tree->leaf, 0, tree->first);
    gather(tree, &crowd);
    size_t count = crowd.waited + crowd.unseen;
    crowd_free(&crowd);
    return count > 0 || group_is_empty(tree) ? count : 1;
}

bool tree_is_empty(const struct tree *tree)
{
    if (tree->leaf[0])
        return cgroup_leaf_empty(base_of(tree), tree->leaf);
    orphans_reap(tree->host); /* zombies count as members of the group */
    return group_is_empty(tree) && tree_count(tree) == 0;
}

/* ---- signals --------------------------------------------------------------------------------- */

/* All are looked for before the first one is signalled: one that ends leaves its own to us. */
static void signal_crowd(const struct tree *tree, int signal)
{
    struct crowd crowd = {};

    gather(tree, &crowd);
    bool has_had_it = signal_group(tree, signal) == 0 && tree->number > 0;
    crowd_signal(&crowd, signal, has_had_it ? tree->number : 0);
    if (signal == SIGKILL)
        tree->host->counters.leftovers_killed += crowd.n;
    crowd_free(&crowd);
}

void tree_signal(const struct tree *tree, int signal)
{
    if (tree->leaf[0])
        cgroup_leaf_signal(base_of(tree), tree->leaf, signal, tree->first);
    else
        signal_crowd(tree, signal);
}

static void kill_once(const struct tree *tree)
{
    if (!tree->leaf[0]) {
        signal_crowd(tree, SIGKILL);
        return;
    }
    cgroup_leaf_kill(base_of(tree), tree->leaf);
    if (!cgroup_leaf_empty(base_of(tree), tree->leaf))
        cgroup_leaf_signal(base_of(tree), tree->leaf, SIGKILL, 0);
}

void tree_kill(struct tree *tree)
{
    if (tree->state == TREE_GONE)
        return;
    bool looked_at = tree->state == TREE_LEFT;
    become(tree, TREE_KILLED);
    kill_once(tree);
    if (looked_at)
        host_look_again(tree->host);
}

/* ---- until nobody is there ------------------------------------------------------------------- */

static void unlink_tree(struct tree *tree)
{
    for (struct tree **link = &tree->host->trees; *link; link = &(*link)->next)
        if (*link == tree) {
            *link = tree->next;
            return;
        }
}

void tree_forget(struct tree *tree)
{
    tree->watch = sd_event_source_disable_unref(tree->watch);
    if (tree->host)
        unlink_tree(tree);
    tree->next = NULL;
    tree->state = TREE_GONE;
}

static void end(struct tree *tree)
{
    void (*emptied)(struct tree * tree) = tree->emptied;

    become(tree, TREE_GONE);
    tree_forget(tree);
    emptied(tree);
}

static int population_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct tree *tree = userdata;
    char text[256];

    (void)source;
    (void)events;
    /* Reading clears the condition. */
    if (pread(fd, text, sizeof(text), 0) >= 0 && tree_is_empty(tree))
        end(tree);
    return 0;
}

/* The kernel tells when a leaf is empty; where it cannot, the leaf is looked at now and then. */
static void watch(struct tree *tree)
{
    int fd = tree->leaf[0] ? cgroup_leaf_watch(base_of(tree), tree->leaf) : -1;

    if (fd < 0)
        return;
    if (sd_event_add_io(tree->host->event, &tree->watch, fd, EPOLLPRI, population_changed, tree) <
        0) {
        close(fd);
        return;
    }
    sd_event_source_set_io_fd_own(tree->watch, true);
}

void tree_leave(struct tree *tree, void (*emptied)(struct tree *tree), void *userdata)
{
    bool killed = tree->state == TREE_KILLED;

    tree->first = 0;
    tree->since_usec = process_now_usec();
    tree->emptied = emptied;
    tree->userdata = userdata;
    if (!killed)
        become(tree, TREE_LEFT);
    tree->next = tree->host->trees;
    tree->host->trees = tree;
    watch(tree);
    host_look_again(tree->host); /* the last one may have gone between the two looks */
}

/* Those of a cgroup are watched, and killed again only after a while. */
static bool is_looked_at(const struct tree *tree, bool time_has_passed)
{
    return time_has_passed || !tree->watch;
}

static struct tree *first_empty(const struct host *host, bool time_has_passed)
{
    for (struct tree *tree = host->trees; tree; tree = tree->next)
        if (is_looked_at(tree, time_has_passed) && tree_is_empty(tree))
            return tree;
    return NULL;
}

void trees_look(struct host *host, bool time_has_passed)
{
    struct tree *tree;

    for (tree = host->trees; tree; tree = tree->next)
        if (tree->state == TREE_KILLED && is_looked_at(tree, time_has_passed))
            kill_once(tree);
    /* What follows from the end of one may begin and end others. */
    while ((tree = first_empty(host, time_has_passed)))
        end(tree);
}

uint64_t trees_patience_usec(const struct host *host)
{
    uint64_t patience = 0;

    for (const struct tree *tree = host->trees; tree; tree = tree->next) {
        if (tree->state == TREE_KILLED)
            return KILLED_LOOK_USEC;
        if (!tree->watch)
            patience = LEFT_LOOK_USEC;
    }
    return patience;
}
