/*
 * The tree of an attempt: its main process and everything that has come from
 * it. It is asked whether it is empty, signalled, and killed; when it empties,
 * it says so once. With a cgroup the kernel knows; without one, the census
 * does.
 */
#include "host/tree.h"

#include "system/again.h"
#include "host/census.h"
#include "system/clock.h"
#include "host/crowd.h"
#include "system/handle.h"
#include "core/vocabulary/invariant.h"
#include "host/members.h"
#include "system/proc_stat.h"
#include "host/process.h"
#include "host/watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define KILLED_LOOK_USEC UINT64_C(20000)
#define LEFT_LOOK_USEC   UINT64_C(100000)
#define LOOK_SHARE       10 /* looking takes at most so much less than the pause after it */
#define LATE_LOOK_USEC   UINT64_C(100000) /* twice as long each time that none is found, */
#define LATE_PAUSE_USEC  UINT64_C(1600000)
#define LATE_TICKS       5
#define GATHER_TRIES     4
#define DOUBT_USEC       UINT64_C(1000000)

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

/* ---- which processes are there --------------------------------------------------------------- */

static int signal_group(const struct tree *tree, int signal)
{
    return handle_signal_group(tree->group, tree->leader, signal);
}

/* The number of the group, while it is its own: a process is in it, and may be a zombie. Where the
 * kernel does not know groups by their handle, it is forgotten with its leader's number, and its
 * members are found like orphans. */
static pid_t group_number(const struct tree *tree)
{
    return tree->number > 0 && signal_group(tree, 0) == 0 ? tree->number : 0;
}

/* If its first process is gone and no other is found, all are asked whether they are in the group:
 * a process is, or a zombie. since: a moment of the census. */
static void gather_by_kin(const struct tree *tree, uint64_t since, struct crowd *crowd)
{
    pid_t group = group_number(tree);

    if (tree->first > 0 && tree->check == 0)
        crowd_add_below(crowd, tree->first);
    census_gather(tree->host, tree, group, since, crowd);
    if (tree->first == 0 && group > 0 && crowd->n == 0 && !tree->everywhere)
        census_gather_group(tree->host, group, crowd);
}

static void gather(const struct tree *tree, uint64_t since, struct crowd *crowd)
{
    if (tree->leaf[0])
        members_gather(base_of(tree), tree->leaf, crowd);
    else
        gather_by_kin(tree, since, crowd);
    crowd_settle(crowd, tree->first);
}

static uint64_t lately(const struct tree *tree)
{
    return census_lately(tree->host->census);
}

/* The children of one that has ended since it was counted have come to us: they are counted again,
 * so many times. */
static void gather_whole(const struct tree *tree, int tries, struct crowd *crowd)
{
    uint64_t since = tree->moment;

    for (int i = 0; i < tries; i++) {
        crowd_free(crowd);
        gather(tree, since, crowd);
        if (crowd->n > 0 || crowd->ended == 0)
            return;
        since = census_moment(tree->host->census);
    }
    crowd->unseen++;
}

size_t tree_count(const struct tree *tree)
{
    struct crowd crowd = {};

    gather_whole(tree, GATHER_TRIES, &crowd);
    size_t known = crowd_count_waited(&crowd), unseen = crowd.unseen;
    crowd_free(&crowd);
    return known > 0 ? known : unseen;
}

/* As long as this one has not been reaped there is no need to look for others. */
static pid_t witness_of(const struct tree *tree, const struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->n; i++)
        if (crowd->members[i].waited && census_has(tree->host->census, crowd->members[i].pid))
            return crowd->members[i].pid;
    return 0;
}

static bool leaf_is_empty(const struct tree *tree)
{
    int fd;
    bool empty = cgroup_leaf_look(base_of(tree), tree->leaf, &fd);

    if (fd >= 0)
        ends_close(tree->host->ends, fd, false);
    return empty;
}

/* Two looks have to agree, as a process may fork and end between them. What
 * keeps no promise (a process that cannot be asked) leaves the tree
 * doubtful. */
static bool is_empty(struct tree *tree, int tries)
{
    struct crowd crowd = {};

    tree->doubtful = false;
    if (tree->leaf[0])
        return leaf_is_empty(tree);
    gather_whole(tree, tries, &crowd);
    size_t waited = crowd_count_waited(&crowd);
    bool empty = waited + crowd.unseen == 0;
    tree->doubtful = waited == 0 && crowd.unseen > 0;
    if (crowd.n + crowd.ended > 0)
        tree->met_usec = clock_now_usec();
    tree->witness = empty ? 0 : witness_of(tree, &crowd);
    if (empty && !tree->keeps) {
        crowd_signal(&crowd, SIGKILL);
        tree->host->counters.leftovers_killed += crowd.n;
    }
    crowd_free(&crowd);
    return empty;
}

bool tree_is_empty(struct tree *tree)
{
    return is_empty(tree, GATHER_TRIES);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* All are looked for before the first one is signalled: one that ends leaves its own to us. */
void tree_signal(const struct tree *tree, int signal)
{
    struct crowd crowd = {};

    gather(tree, lately(tree), &crowd);
    crowd_signal(&crowd, signal);
    crowd_free(&crowd);
}

void tree_thaw(const struct tree *tree)
{
    if (tree->leaf[0])
        cgroup_leaf_thaw(base_of(tree), tree->leaf);
}

/* A stopped one cannot obey. */
static int wakes_after(int signal)
{
    return signal == SIGKILL || signal == SIGCONT ? 0 : SIGCONT;
}

void tree_find(const struct tree *tree, struct crowd *crowd)
{
    gather(tree, lately(tree), crowd);
}

void tree_tell(struct tree *tree, int signal, struct crowd *crowd)
{
    crowd_signal(crowd, signal);
    crowd_signal(crowd, wakes_after(signal));
    told_begin(&tree->told, signal, crowd);
}

/* No process of the tree looks after it, and it has had the time to get ready for a signal. */
static bool is_late(const struct tree *tree, const struct crowd *crowd,
                    const struct crowd_member *member)
{
    return !told_has(&tree->told, member) && !crowd_find(crowd, member->parent) &&
           proc_stat_ticks_now() - member->started_ticks >= LATE_TICKS;
}

/* Returns how many there were. */
static size_t tell_late(struct tree *tree)
{
    struct crowd crowd = {}, late = {};

    gather(tree, tree->moment, &crowd);
    for (size_t i = 0; i < crowd.n; i++)
        if (is_late(tree, &crowd, &crowd.members[i]))
            crowd_append(&late, &crowd.members[i]);
    for (size_t i = 0; i < late.n; i++) {
        crowd_signal_member(&late.members[i], tree->told.signal);
        crowd_signal_member(&late.members[i], wakes_after(tree->told.signal));
    }
    told_add(&tree->told, &late);
    size_t count = late.n;
    crowd_free(&late);
    crowd_free(&crowd);
    return count;
}

/* The group has it at once, so that none forks away from it. */
static void kill_by_kin(const struct tree *tree, uint64_t since)
{
    struct crowd crowd = {};

    signal_group(tree, SIGKILL);
    gather_by_kin(tree, since, &crowd);
    crowd_settle(&crowd, tree->first);
    crowd_signal(&crowd, SIGKILL);
    tree->host->counters.leftovers_killed += crowd.n;
    crowd_free(&crowd);
}

/* The caller repeats it, as long as the tree is not empty. */
static void kill_once(const struct tree *tree, uint64_t since)
{
    if (!tree->leaf[0]) {
        kill_by_kin(tree, since);
        return;
    }
    cgroup_leaf_kill(base_of(tree), tree->leaf);
    if (!cgroup_leaf_empty(base_of(tree), tree->leaf))
        members_kill(base_of(tree), tree->leaf);
}

/* From now on it is killed again at each look, until it is empty. */
void tree_kill(struct tree *tree)
{
    if (tree->state == TREE_GONE)
        return;
    bool looked_at = tree->state == TREE_LEFT;
    become(tree, TREE_KILLED);
    kill_once(tree, lately(tree));
    if (looked_at)
        host_look_again(tree->host);
}

/* ---- until none is there ------------------------------------------------------------------- */

/* Trees that have been left are looked at in turn. */
static void link_tree(struct tree *tree)
{
    struct host *host = tree->host;

    tree->previous = NULL;
    tree->next = host->trees;
    if (tree->next)
        tree->next->previous = tree;
    host->trees = tree;
}

/* Also the one that would be looked at next. */
static void unlink_tree(struct tree *tree)
{
    struct host *host = tree->host;

    if (!tree->previous && host->trees != tree)
        return;
    if (tree->previous)
        tree->previous->next = tree->next;
    else
        host->trees = tree->next;
    if (tree->next)
        tree->next->previous = tree->previous;
    if (host->next_tree == tree)
        host->next_tree = tree->next;
    tree->previous = NULL;
}

void tree_forget(struct tree *tree)
{
    tree->watch = sd_event_source_disable_unref(tree->watch);
    told_forget(&tree->told);
    if (tree->host)
        unlink_tree(tree);
    tree->next = NULL;
    tree->state = TREE_GONE;
}

/* What is left of its processes are zombies, which others take for processes, such as the next
 * attempt for one that a file of its own names: they are reaped in the next turn. */
static void end(struct tree *tree)
{
    void (*emptied)(struct tree * tree) = tree->emptied;

    tree->host->unreaped = true;
    host_look_again_in(tree->host, 0);
    become(tree, TREE_GONE);
    tree_forget(tree);
    emptied(tree);
}

/* The kernel tells when the leaf becomes empty. */
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

/* The main process is gone: from now on it is watched until it is empty. */
void tree_leave(struct tree *tree, void (*emptied)(struct tree *tree), void *userdata)
{
    bool killed = tree->state == TREE_KILLED;

    INVARIANT(emptied && tree->state != TREE_GONE && !tree->watch);
    tree->first = 0;
    tree->since_usec = tree->met_usec = clock_now_usec();
    tree->late_usec = tree->since_usec + LATE_LOOK_USEC;
    tree->late_pause_usec = LATE_LOOK_USEC;
    tree->emptied = emptied;
    tree->settled = NULL;
    tree->userdata = userdata;
    if (!killed)
        become(tree, TREE_LEFT);
    link_tree(tree);
    watch(tree);
    host_look_again(tree->host); /* the last one may have gone between the two looks */
}

bool tree_is_in_doubt(const struct tree *tree)
{
    return tree->doubtful && clock_now_usec() - tree->since_usec < DOUBT_USEC;
}

static void settle(struct tree *tree)
{
    void (*settled)(struct tree * tree) = tree->settled;

    tree->settled = NULL;
    settled(tree);
}

/* Those of a cgroup are watched, and killed again only after a while. If a process is known that
 * has not been reaped, the end of another one changes nothing. */
static bool is_looked_at(const struct tree *tree, bool time_has_passed)
{
    if (time_has_passed)
        return true;
    return !tree->watch && (tree->state == TREE_KILLED || tree->witness == 0 ||
                            !census_has(tree->host->census, tree->witness));
}

/* Seldom if none comes late: there may be thousands that drain. */
static void look_for_late(struct tree *tree, uint64_t now)
{
    if (tree->state != TREE_LEFT || tree->told.signal == 0 || now < tree->late_usec)
        return;
    if (tell_late(tree) > 0)
        tree->late_pause_usec = LATE_LOOK_USEC;
    else if (tree->late_pause_usec < LATE_PAUSE_USEC)
        tree->late_pause_usec *= 2;
    tree->late_usec = now + tree->late_pause_usec;
}

/* One that is empty ends. What follows from that may begin and end others; and so may what follows
 * from knowing that one is not. */
static void end_those_that_are_empty(struct host *host, bool time_has_passed)
{
    for (struct tree *tree = host->trees; tree; tree = host->next_tree) {
        host->next_tree = tree->next;
        if (is_looked_at(tree, time_has_passed) && is_empty(tree, 1))
            end(tree);
        else if (tree->settled && !tree_is_in_doubt(tree))
            settle(tree);
    }
}

/* All as of one count, if one is needed. */
static void look_at_all(struct host *host, bool time_has_passed)
{
    uint64_t now = clock_now_usec(), moment = census_moment(host->census);

    for (struct tree *tree = host->trees; tree; tree = tree->next) {
        if (!is_looked_at(tree, time_has_passed))
            continue;
        tree->moment = moment;
        if (tree->state == TREE_KILLED)
            kill_once(tree, moment);
        else if (time_has_passed)
            look_for_late(tree, now);
    }
    end_those_that_are_empty(host, time_has_passed);
}

/* Until the tree is to be looked at again; 0: never. */
static uint64_t patience_of(const struct tree *tree, uint64_t now)
{
    uint64_t late = tree->late_usec > now ? tree->late_usec - now : 1;

    if (tree->state == TREE_KILLED)
        return KILLED_LOOK_USEC;
    if (!tree->watch)
        return LEFT_LOOK_USEC;
    return tree->told.signal > 0 ? late : 0;
}

/* The shortest time until one of them has to be looked at. */
static uint64_t patience_of_all(const struct host *host)
{
    uint64_t patience = 0, now = clock_now_usec();

    for (const struct tree *tree = host->trees; tree; tree = tree->next) {
        uint64_t its = patience_of(tree, now);
        if (its > 0 && (patience == 0 || its < patience))
            patience = its;
    }
    return patience;
}

/* After an orphan was reaped or a moment has passed. */
void trees_look(struct host *host, bool time_has_passed)
{
    uint64_t began = clock_now_usec();
    look_at_all(host, time_has_passed);
    uint64_t least = (clock_now_usec() - began) * LOOK_SHARE;
    uint64_t patience = patience_of_all(host);
    if (patience > 0) /* thousands that stay leave the loop to the others */
        host_look_again_in(host, patience > least ? patience : least);
}
