/*
 * Account: the user and the groups that a process is to run as, by name or by number.
 *
 * The answer may come from a directory service far away, or never: it is looked up beside the loop.
 * Questions about the same user are answered one after the other, and however many wait for a
 * directory service that is dead, they hold no more than a few threads.
 *
 * A number is digits only, at most ACCOUNT_ID_MAX: 4294967295 means "leave it as it is" to the
 * kernel. A user that is a number need not be in the user database.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ACCOUNT_ID_MAX 4294967294u

struct account_question {
    const char *user;                        /* NULL: it is not changed */
    const char *group;                       /* NULL: the user's own */
    const char *const *supplementary_groups; /* besides the user's; NULL-terminated, or NULL */
};

struct account {
    int error;        /* 0 or a negative errno; -ENOENT: there is no user of that name */
    const char *step; /* which key failed: "user", "unix_group", "supplementary_groups" */
    char *culprit;    /* what it says; NULL without an error */
    bool has_user, has_group;
    uid_t uid;  /* has_user */
    gid_t gid;  /* has_group */
    char *name; /* as the user database has them; NULL: it does not know the user */
    char *home, *shell;
    gid_t *groups; /* all, as for setgroups(2) */
    size_t n_groups;
};

struct account_lookup;

/*
 * Looks it up beside the loop, and calls done() in the loop with an account that is the callee's:
 * account_free(); NULL without memory. The question is copied. *lookup is valid until then; NULL
 * where it is of no interest. Returns 0 or -ENOMEM.
 */
int account_look_up(const struct account_question *question,
                    void (*done)(void *userdata, struct account *account), void *userdata,
                    struct account_lookup **lookup);

/* done() is not called any more, whether the answer comes or not. NULL is allowed. */
void account_forget(struct account_lookup *lookup);

/* The same at once, for callers that may wait. NULL without memory. */
struct account *account_find(const struct account_question *question);
void account_free(struct account *account);

/* Digits only, at most ACCOUNT_ID_MAX. Returns 0; -EINVAL for other text (a name, perhaps); -ERANGE
 * for a larger number. */
int account_read_id(const char *text, id_t *id);
