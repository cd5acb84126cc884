/*
 * Users and groups, looked up in a thread: the answer may come from a directory
 * service.
 */
#include "system/account.h"

#include "system/beside.h"
#include "system/number.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define QUEUES       16 /* as many threads may hang in a directory service */
#define GROUPS_FIRST 64 /* a power of two, as NGROUPS_MAX is */
#define ENTRY_MAX    (1u << 20)
#define ENTRY_SIZE   1024

int account_read_id(const char *text, id_t *id)
{
    uint32_t number;

    if (!number_is(text))
        return -EINVAL;
    if (number_read_id(text, &number) < 0)
        return -ERANGE;
    *id = number;
    return 0;
}

/* ---- the databases --------------------------------------------------------------------------- */

/* An entry's strings are in `text`, which grows until they fit. */
struct entry {
    char *text;
    size_t size;
};

static bool grow_entry(struct entry *entry)
{
    size_t larger = entry->size > 0 ? entry->size * 2 : ENTRY_SIZE;
    char *text = larger <= ENTRY_MAX ? realloc(entry->text, larger) : NULL;

    if (!text)
        return false;
    entry->text = text;
    entry->size = larger;
    return true;
}

/* getpwnam_r(3) lists what different databases return for "there is none". */
static int lookup_result(int error, bool found)
{
    if (found)
        return 0;
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
        return -ENOENT;
    return -error;
}

static int find_user(const char *name, const id_t *id, struct passwd *user, struct entry *entry)
{
    struct passwd *found = NULL;
    int error = ERANGE;

    while (error == ERANGE && grow_entry(entry))
        error = id ? getpwuid_r((uid_t)*id, user, entry->text, entry->size, &found)
                   : getpwnam_r(name, user, entry->text, entry->size, &found);
    return error == ERANGE ? -ENOMEM : lookup_result(error, found != NULL);
}

/* A number needs no entry. */
static int find_group(const char *name, gid_t *gid)
{
    struct group group, *found = NULL;
    struct entry entry = {};
    id_t id;
    int error = ERANGE, r = account_read_id(name, &id);

    if (r != -EINVAL) {
        *gid = (gid_t)id;
        return r;
    }
    while (error == ERANGE && grow_entry(&entry))
        error = getgrnam_r(name, &group, entry.text, entry.size, &found);
    r = error == ERANGE ? -ENOMEM : lookup_result(error, found != NULL);
    if (r == 0)
        *gid = group.gr_gid;
    free(entry.text);
    return r == 0 && *gid > ACCOUNT_ID_MAX ? -ERANGE : r;
}

/* ---- one account ----------------------------------------------------------------------------- */

/* Room for so many more groups. */
static int reserve_groups(struct account *account, size_t more)
{
    if (account->n_groups + more > NGROUPS_MAX)
        return -E2BIG;
    gid_t *groups = realloc(account->groups, (account->n_groups + more) * sizeof(*groups));
    if (!groups)
        return -ENOMEM;
    account->groups = groups;
    return 0;
}

/* Of all groups, as initgroups(3) does it. */
static int add_groups_of(struct account *account, const struct passwd *user)
{
    for (int size = GROUPS_FIRST; size <= NGROUPS_MAX; size *= 2) {
        int count = size, r = reserve_groups(account, (size_t)size);
        if (r < 0)
            return r;
        if (getgrouplist(user->pw_name, user->pw_gid, account->groups, &count) < 0)
            continue; /* there are more */
        account->n_groups = (size_t)count;
        return 0;
    }
    return -E2BIG;
}

/* Ids that the kernel treats as "none" are refused. */
static int copy_entry(struct account *account, const struct passwd *user)
{
    account->uid = user->pw_uid;
    account->gid = user->pw_gid;
    account->name = strdup(user->pw_name);
    account->home = strdup(user->pw_dir ? user->pw_dir : "");
    account->shell = strdup(user->pw_shell ? user->pw_shell : "");
    if (!account->name || !account->home || !account->shell)
        return -ENOMEM;
    if (user->pw_uid > ACCOUNT_ID_MAX || user->pw_gid > ACCOUNT_ID_MAX)
        return -ERANGE;
    return add_groups_of(account, user);
}

/* A number without an entry is a user, too. */
static int use_user(struct account *account, const char *name)
{
    struct passwd user;
    struct entry entry = {};
    id_t id = 0;
    int r = account_read_id(name, &id);

    if (r == -ERANGE)
        return r;
    bool numeric = r == 0;
    r = find_user(name, numeric ? &id : NULL, &user, &entry);
    if (r == 0) {
        r = copy_entry(account, &user);
    } else if (r == -ENOENT && numeric) {
        account->uid = (uid_t)id;
        account->gid = (gid_t)id;
        r = 0;
    }
    free(entry.text);
    account->has_user = account->has_group = r == 0;
    return r;
}

static int use_group(struct account *account, const char *name)
{
    int r = find_group(name, &account->gid);

    if (r == 0)
        account->has_group = true;
    return r;
}

static int use_supplementary(struct account *account, const char *name)
{
    int r = reserve_groups(account, 1);

    if (r == 0)
        r = find_group(name, &account->groups[account->n_groups]);
    if (r == 0)
        account->n_groups++;
    return r;
}

/* The first error is kept, with the key and the value. */
static int use_key(struct account *account, const char *step, const char *value,
                   int (*use)(struct account *account, const char *value))
{
    if (!value || account->error < 0)
        return account->error;
    int r = use(account, value);
    if (r < 0) {
        account->error = r;
        account->step = step;
        account->culprit = strdup(value);
    }
    return r;
}

/* In the thread. */
struct account *account_find(const struct account_question *question)
{
    struct account *account = calloc(1, sizeof(*account));
    const char *const *group = question->supplementary_groups;

    if (!account)
        return NULL;
    use_key(account, "user", question->user, use_user);
    use_key(account, "unix_group", question->group, use_group);
    for (; group && *group; group++)
        use_key(account, "supplementary_groups", *group, use_supplementary);
    return account;
}

void account_free(struct account *account)
{
    if (!account)
        return;
    free(account->culprit);
    free(account->name);
    free(account->home);
    free(account->shell);
    free(account->groups);
    free(account);
}

/* ---- beside the loop ------------------------------------------------------------------------- */

struct account_lookup {
    struct beside_work work;
    void (*answered)(void *userdata, struct account *account);
    void *userdata;
    bool forgotten;
    struct account_question question;
    struct account *account;
    char **groups;
    char *user, *group;
};

/* Also if nobody waits for it. */
static void free_lookup(void *data)
{
    struct account_lookup *lookup = data;

    for (char **group = lookup->groups; group && *group; group++)
        free(*group);
    free(lookup->groups);
    free(lookup->user);
    free(lookup->group);
    account_free(lookup->account);
    free(lookup);
}

static int copy_text(const char *from, char **to)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

/* The question may be gone before it is answered. */
static int copy_groups(struct account_lookup *lookup, const char *const *groups)
{
    size_t count = 0;
    int r = 0;

    while (groups && groups[count])
        count++;
    lookup->groups = calloc(count + 1, sizeof(*lookup->groups));
    if (!lookup->groups)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = copy_text(groups[i], &lookup->groups[i]);
    return r;
}

/* Everything is copied. */
static int copy_question(struct account_lookup *lookup, const struct account_question *question)
{
    int r = copy_text(question->user, &lookup->user);

    if (r == 0)
        r = copy_text(question->group, &lookup->group);
    if (r == 0)
        r = copy_groups(lookup, question->supplementary_groups);
    lookup->question =
        (struct account_question){.user = lookup->user,
                                  .group = lookup->group,
                                  .supplementary_groups = (const char *const *)lookup->groups};
    return r;
}

static void find(void *data)
{
    struct account_lookup *lookup = data;
    lookup->account = account_find(&lookup->question);
}

static void tell(void *data)
{
    struct account_lookup *lookup = data;
    struct account *account = lookup->account;

    if (lookup->forgotten)
        return;
    lookup->account = NULL;
    lookup->answered(lookup->userdata, account);
}

/* Questions about the same user come into the same queue. */
static struct beside_queue *queue_of(const char *user)
{
    static struct beside_queue *queues[QUEUES];
    unsigned hash = 5381;

    for (; user && *user; user++)
        hash = hash * 33 + (unsigned char)*user;
    if (!queues[hash % QUEUES])
        queues[hash % QUEUES] = beside_queue_new();
    return queues[hash % QUEUES];
}

/* Answered in the loop. */
int account_look_up(const struct account_question *question,
                    void (*done)(void *userdata, struct account *account), void *userdata,
                    struct account_lookup **handle)
{
    struct account_lookup *lookup = calloc(1, sizeof(*lookup));

    if (!lookup)
        return -ENOMEM;
    lookup->answered = done;
    lookup->userdata = userdata;
    lookup->work = (struct beside_work){.what = "look up a user",
                                        .work = find,
                                        .done = tell,
                                        .release = free_lookup,
                                        .data = lookup};
    if (copy_question(lookup, question) < 0) {
        free_lookup(lookup);
        return -ENOMEM;
    }
    if (handle)
        *handle = lookup;
    beside_do(queue_of(question->user), &lookup->work);
    return 0;
}

void account_forget(struct account_lookup *lookup)
{
    if (lookup)
        lookup->forgotten = true;
}
