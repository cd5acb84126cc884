/*
 * Which processes belong to which attempt, without cgroups. The kernel only
 * says who the parent is, and a process that double-forks loses that; so each
 * process is asked once for its environment (claim.c), and the answer is kept
 * while the process lives. One listing serves all attempts that ask within the
 * same moment: a thousand children that stop together cost one walk through
 * /proc, not a thousand.
 */
#include "host/census.h"

#include "system/again.h"
#include "host/claim.h"
#include "system/clock.h"
#include "host/crowd.h"
#include "system/handle.h"
#include "host/listing.h"
#include "system/number.h"
#include "host/owner_user.h"
#include "system/proc_stat.h"
#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTINGS      8                 /* in one count, until all have been asked */
#define SHARE         10                /* a count is lately for so much longer than it took */
#define UNTOLD_USEC   UINT64_C(1000000) /* one that hangs on its way out is waited for */
#define RESTLESS_USEC UINT64_C(5000000) /* and strangers that come and go before they are asked */

enum entry_state { NOT_ASKED, UNTOLD, NOBODYS, NAMED, ENDED };

struct entry {
    pid_t pid;
    enum entry_state state;
    bool waited_for;        /* it cannot say, and may be of any attempt */
    bool reaped;            /* its number may be another's */
    bool same;              /* in this count its number was seen to be its own still */
    uint64_t inode;         /* as it was listed last */
    uint64_t started_ticks; /* of one that is not our child */
    uint64_t untold_usec;   /* since when it cannot say */
    struct claim claim;
};

/* Of our own children, or of all processes. */
struct roll {
    bool all;
    struct entry *entries; /* by number */
    size_t n;
    uint32_t *named; /* those that name an attempt, by attempt */
    size_t n_named;
    bool whole;       /* all of the list have been asked, or had ended before */
    size_t untold;    /* those that may be of any attempt */
    uint64_t stamp;   /* the moment of the count */
    uint64_t at_usec; /* when it was over, */
    uint64_t took_usec;
};

struct census {
    struct roll ours, everyone;
    bool without_lists; /* the kernel does not list our children */
    uint64_t clock;
    struct listing listing;
};

int census_new(struct census **census)
{
    *census = calloc(1, sizeof(**census));
    if (!*census)
        return -ENOMEM;
    (*census)->clock = 1;
    (*census)->everyone.all = true;
    return 0;
}

static void free_roll(struct roll *roll)
{
    free(roll->entries);
    free(roll->named);
}

void census_free(struct census *census)
{
    if (!census)
        return;
    free_roll(&census->ours);
    free_roll(&census->everyone);
    listing_free(&census->listing);
    free(census);
}

uint64_t census_moment(const struct census *census)
{
    return census->clock;
}

uint64_t census_lately(const struct census *census)
{
    const struct roll *roll = &census->ours;

    if (roll->stamp > 0 && clock_now_usec() - roll->at_usec < roll->took_usec * SHARE)
        return roll->stamp - 1;
    return census->clock;
}

/* ---- the entries ----------------------------------------------------------------------------- */

/* The roll is sorted by PID. */
static struct entry *entry_of(const struct roll *roll, pid_t pid)
{
    size_t low = 0, high = roll->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (roll->entries[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < roll->n && roll->entries[low].pid == pid ? &roll->entries[low] : NULL;
}

void census_forget(struct census *census, pid_t pid)
{
    struct entry *entry = entry_of(&census->ours, pid);

    if (entry)
        entry->reaped = true;
}

bool census_has(const struct census *census, pid_t pid)
{
    const struct entry *entry = entry_of(&census->ours, pid);

    return entry && entry->state == NAMED && !entry->reaped;
}

/* Not a main process, nor one of proctord's own, nor one on its way to its program. */
static bool is_asked(const struct host *host, pid_t pid)
{
    return pid != host->spared && pid != spawner_pid(host->spawner) && !process_of_pid(host, pid) &&
           (spawner_is_idle(host->spawner) || !spawner_launch_of_pid(host->spawner, pid));
}

/* Those that are listed: what is known of them is kept, and the others are forgotten. */
static int take_over(const struct host *host, struct roll *roll, const struct listing *listing)
{
    struct entry *fresh = calloc(listing->n + 1, sizeof(*fresh));
    uint32_t *named = calloc(listing->n + 1, sizeof(*named));
    size_t n = 0;

    if (!fresh || !named) {
        free(fresh);
        free(named);
        return -ENOMEM;
    }
    for (size_t i = 0, old = 0; i < listing->n; i++) {
        const struct listed *listed = &listing->listed[i];
        pid_t pid = listed->pid;
        while (old < roll->n && roll->entries[old].pid < pid)
            old++;
        if (!is_asked(host, pid))
            continue;
        bool known = old < roll->n && roll->entries[old].pid == pid && !roll->entries[old].reaped;
        fresh[n] = known ? roll->entries[old] : (struct entry){.pid = pid};
        fresh[n].same |= known && listed->inode > 0 && listed->inode == fresh[n].inode;
        fresh[n++].inode = listed->inode;
    }
    free_roll(roll);
    roll->entries = fresh;
    roll->named = named;
    roll->n = n;
    roll->n_named = 0;
    return 0;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* A process of a tree that is being killed does not fork away from it. */
static bool is_to_be_killed(const struct host *host, const struct roll *roll,
                            const struct claim *claim)
{
    const struct child *child = core_child_of(host->core, claim->id);
    const struct process *process = child ? child->host : NULL;
    const struct tree *tree = host->trees;

    if (claim->check == 0)
        return process && process->id.attempt == claim->id.attempt &&
               process->tree.state == TREE_KILLED && process->adopted == roll->all;
    while (tree && (tree->check != claim->check || tree->id.slot != claim->id.slot ||
                    tree->id.serial != claim->id.serial || tree->id.attempt != claim->id.attempt))
        tree = tree->next;
    return tree && tree->state == TREE_KILLED && tree->everywhere == roll->all;
}

/* A process that cannot be asked yet (it is between fork and exec) is counted
 * as unseen for a short time: an attempt is not over while it may be its. */
static void ask_living(const struct host *host, const struct roll *roll, struct entry *entry,
                       int pidfd)
{
    enum claim_kind kind =
        claim_ask(host, entry->pid, pidfd, roll->all ? CLAIM_STRICT : CLAIM_OF_OURS, &entry->claim);

    if (kind == CLAIM_NAMED && is_to_be_killed(host, roll, &entry->claim))
        handle_signal(pidfd, SIGKILL);
    if (kind == CLAIM_UNTOLD && entry->untold_usec == 0)
        entry->untold_usec = clock_now_usec();
    entry->state = kind == CLAIM_NAMED ? NAMED : kind == CLAIM_UNTOLD ? UNTOLD : NOBODYS;
    entry->waited_for = kind == CLAIM_UNTOLD && clock_now_usec() - entry->untold_usec < UNTOLD_USEC;
}

/* The handle comes first: what is looked at afterwards is the same process, or none. Returns
 * whether it had not ended by then. */
static bool ask(const struct host *host, const struct roll *roll, struct entry *entry)
{
    int pidfd = again_pidfd(entry->pid);
    bool there = pidfd >= 0 && !handle_has_ended(pidfd), known = !roll->all;

    if (!known)
        known = proc_stat_read(entry->pid, PROC_STAT_STARTED_TICKS, &entry->started_ticks) == 0;
    if (there && known) {
        ask_living(host, roll, entry, pidfd);
        there = !handle_has_ended(pidfd);
    }
    if (!there && known && !again_may_help(pidfd)) {
        entry->state = ENDED;
        entry->waited_for = false;
    }
    entry->same = known;
    if (pidfd >= 0)
        close(pidfd);
    return there && known;
}

/* A number that was listed before is still that of the same process: of our own children always.
 * One that has gone since it was seen in this count has left none that is to be asked. */
static bool is_same(const struct roll *roll, struct entry *entry)
{
    uint64_t ticks;

    if (!roll->all || entry->same)
        return true;
    entry->same = proc_stat_read(entry->pid, PROC_STAT_STARTED_TICKS, &ticks) == 0 &&
                  ticks == entry->started_ticks;
    return entry->same;
}

/* The newest first: one that forks and exits at once is met before it has gone. */
static void ask_each(const struct host *host, struct roll *roll)
{
    for (size_t i = roll->n; i-- > 0;)
        if (roll->entries[i].state <= UNTOLD)
            roll->whole &= ask(host, roll, &roll->entries[i]);
    roll->untold = 0;
    for (size_t i = 0; i < roll->n; i++) {
        struct entry *entry = &roll->entries[i];
        if (!is_same(roll, entry)) {
            *entry = (struct entry){.pid = entry->pid, .inode = entry->inode};
            roll->whole &= ask(host, roll, entry);
        }
        roll->untold += entry->waited_for;
    }
}

/* ---- counting -------------------------------------------------------------------------------- */

/* Before the list is read: what they leave is in it. */
static void note_who_has_ended(struct roll *roll)
{
    for (size_t i = 0; i < roll->n_named; i++) {
        struct entry *entry = &roll->entries[roll->named[i]];
        int pidfd = entry->reaped ? -1 : again_pidfd(entry->pid);
        if (pidfd < 0)
            continue;
        if (handle_has_ended(pidfd))
            entry->state = ENDED;
        close(pidfd);
    }
}

/* Attempts, and within them the numbers of checks and commands, so that each
 * tree finds its processes in one run. */
static int by_attempt(const struct claim *a, const struct claim *b)
{
    const uint64_t left[] = {a->id.slot, a->id.serial, a->id.attempt, a->check};
    const uint64_t right[] = {b->id.slot, b->id.serial, b->id.attempt, b->check};

    for (size_t i = 0; i < 4; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

static int by_attempt_of_entry(const void *a, const void *b, void *userdata)
{
    const struct entry *entries = userdata;

    return by_attempt(&entries[*(const uint32_t *)a].claim, &entries[*(const uint32_t *)b].claim);
}

/* Sorted again for each count; most have not changed, which keeps it cheap. */
static void sort_by_attempt(struct roll *roll)
{
    roll->n_named = 0;
    for (size_t i = 0; i < roll->n; i++)
        if (roll->entries[i].state == NAMED)
            roll->named[roll->n_named++] = (uint32_t)i;
    if (roll->n_named > 1)
        qsort_r(roll->named, roll->n_named, sizeof(*roll->named), by_attempt_of_entry,
                roll->entries);
}

/* The number that a process was given last; 0 if that is not known. */
static uint64_t last_number(void)
{
    char text[128];
    uint64_t number = 0;
    ssize_t n = again_read(AT_FDCWD, "/proc/loadavg", text, sizeof(text));
    const char *last = n > 0 ? strrchr(text, ' ') : NULL;

    if (last) {
        last++;
        number_take(&last, &number);
    }
    return number;
}

/* The direct children first; all processes only if that is not enough. If
 * numbers have wrapped around during the walk, it is repeated. */
static int list(struct census *census, struct roll *roll)
{
    uint64_t before = roll->all ? last_number() : 0;
    int r = roll->all ? listing_of_all(&census->listing) : listing_of_ours(&census->listing);

    if (r == -ENOENT && !roll->all) {
        census->without_lists = true;
        r = 0;
    }
    return r == 0 && roll->all && last_number() < before ? -EAGAIN : r;
}

/* A main process whose end is known now has ended before the count. */
static void note_end(void *data, void *userdata)
{
    struct process *process = data;
    const struct census *census = userdata;

    if (process->ended_moment == 0)
        process->ended_moment = census->clock;
}

/* Processes fork while they are being listed; it is repeated until a listing
 * has nothing new in it. */
static void count_until_whole(struct host *host, struct roll *roll)
{
    for (int i = 0; i < LISTINGS && !(roll->whole && roll->untold == 0); i++) {
        note_who_has_ended(roll);
        int r = list(host->census, roll);
        roll->whole = r == 0 && take_over(host, roll, &host->census->listing) == 0;
        ask_each(host, roll);
        sort_by_attempt(roll);
    }
}

/* One count for everything that asks within this moment. */
static void count(struct host *host, struct roll *roll)
{
    struct census *census = host->census;
    uint64_t began = clock_now_usec();

    ends_for_ready(host->ends, note_end, census);
    roll->stamp = ++census->clock;
    roll->whole = false;
    for (size_t i = 0; i < roll->n; i++)
        roll->entries[i].same = false;
    count_until_whole(host, roll);
    roll->at_usec = clock_now_usec();
    roll->took_usec = roll->at_usec - began;
}

/* ---- gathering ------------------------------------------------------------------------------- */

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

/* One that has ended since the count may have left others, who are not in it: that is said as often
 * as this count is looked at. */
static void gather_entry(const struct tree *tree, const struct entry *entry, bool in_group,
                         struct crowd *crowd)
{
    int pidfd = entry->reaped ? -ESRCH : again_pidfd(entry->pid);
    bool there = pidfd >= 0 && !handle_has_ended(pidfd);

    if (there) {
        crowd_add(crowd, entry->pid, pidfd, in_group || is_of_its_user(tree, entry->pid));
        crowd_add_below(crowd, entry->pid);
        there = !handle_has_ended(pidfd);
    }
    crowd->ended += !there && !again_may_help(pidfd);
    crowd->unseen += again_may_help(pidfd);
    if (pidfd >= 0)
        close(pidfd);
}

/* The first process of an attempt in the sorted list. */
static size_t first_of(const struct roll *roll, const struct claim *claim)
{
    size_t low = 0, high = roll->n_named;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_attempt(&roll->entries[roll->named[middle]].claim, claim) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Those that name the attempt in their environment. */
static void gather_named(const struct roll *roll, const struct tree *tree, pid_t group,
                         struct crowd *crowd)
{
    const struct claim claim = {.id = tree->id, .check = tree->check};

    for (size_t i = first_of(roll, &claim); i < roll->n_named; i++) {
        const struct entry *entry = &roll->entries[roll->named[i]];
        if (by_attempt(&entry->claim, &claim) != 0)
            return;
        if (entry->state == NAMED)
            gather_entry(tree, entry, group > 0 && getpgid(entry->pid) == group, crowd);
    }
}

/* Those that name no attempt. */
static void gather_in_group(const struct roll *roll, const struct tree *tree, pid_t group,
                            struct crowd *crowd)
{
    for (size_t i = 0; i < roll->n; i++) {
        const struct entry *entry = &roll->entries[i];
        if ((entry->state == NOBODYS || entry->state == UNTOLD) && !entry->reaped &&
            getpgid(entry->pid) == group)
            gather_entry(tree, entry, true, crowd);
    }
}

/* Those that may be the tree's. Strangers come and go without end on some machines: they are waited
 * for only so long after one of the tree was met. */
static size_t unseen_for(const struct roll *roll, const struct tree *tree)
{
    if (roll->all && tree->met_usec > 0 && clock_now_usec() - tree->met_usec > RESTLESS_USEC)
        return 0;
    return roll->untold + !roll->whole;
}

/* What an attempt may believe depends on when it asks: a count from before its
 * last process ended does not show that none is left. */
static void gather_from(struct host *host, struct roll *roll, const struct tree *tree, pid_t group,
                        uint64_t since, struct crowd *crowd)
{
    if (roll->stamp <= since)
        count(host, roll);
    gather_named(roll, tree, group, crowd);
    if (group > 0)
        gather_in_group(roll, tree, group, crowd);
    crowd->unseen += unseen_for(roll, tree);
}

void census_gather(struct host *host, const struct tree *tree, pid_t group, uint64_t since,
                   struct crowd *crowd)
{
    struct census *census = host->census;

    gather_from(host, &census->ours, tree, group, since, crowd);
    if (tree->everywhere || census->without_lists)
        gather_from(host, &census->everyone, tree, group, since, crowd);
}

/* All members of a process group. The group is asked before and after the
 * descriptor is opened, as a PID may change hands in between. */
void census_gather_group(const struct host *host, pid_t group, struct crowd *crowd)
{
    struct listing *listing = &host->census->listing;

    crowd->unseen += listing_of_all(listing) < 0;
    for (size_t i = 0; i < listing->n; i++) {
        int pidfd =
            getpgid(listing->listed[i].pid) == group ? again_pidfd(listing->listed[i].pid) : -1;
        if (pidfd < 0)
            continue;
        if (getpgid(listing->listed[i].pid) == group)
            crowd_add(crowd, listing->listed[i].pid, pidfd, true);
        close(pidfd);
    }
}
