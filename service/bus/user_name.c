/*
 * Names of users for the audit. Looking one up may ask the network, so it is
 * done in a thread, with a short patience; without an answer the number has to
 * do.
 */
#include "bus/user_name.h"
#include "bus/wait.h"

#include "system/account.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLACES        64
#define NAME_MAX_SIZE 65
#define PATIENCE_USEC UINT64_C(2000000)
#define BELIEVE_USEC  UINT64_C(60000000)

struct user_name {
    bool used;
    uid_t uid;
    uint64_t until_usec;
    char name[NAME_MAX_SIZE]; /* "": none */
};

struct user_names {
    sd_event *event;
    struct user_name places[PLACES];
};

struct user_name_question {
    struct user_names *names;
    uid_t uid;
    struct account_lookup *lookup;
    sd_event_source *patience;
    void (*done)(void *userdata);
    void *userdata;
};

static uint64_t now_usec(const struct user_names *names)
{
    uint64_t now = 0;

    sd_event_now(names->event, CLOCK_MONOTONIC, &now);
    return now;
}

bool user_names_find(struct user_names *names, uid_t uid, const char **name)
{
    const struct user_name *place = &names->places[uid % PLACES];

    if (!place->used || place->uid != uid || now_usec(names) >= place->until_usec)
        return false;
    *name = place->name[0] ? place->name : NULL;
    return true;
}

/* Believed for a while, also if there is none. */
static void answer(struct user_name_question *question, const char *name)
{
    struct user_names *names = question->names;
    struct user_name *place = &names->places[question->uid % PLACES];
    void (*done)(void *) = question->done;
    void *userdata = question->userdata;

    *place = (struct user_name){
        .used = true, .uid = question->uid, .until_usec = now_usec(names) + BELIEVE_USEC};
    snprintf(place->name, sizeof(place->name), "%s", name ? name : "");
    user_names_forget(question);
    done(userdata);
}

static void looked_up(void *userdata, struct account *account)
{
    struct user_name_question *question = userdata;

    question->lookup = NULL;
    answer(question, account ? account->name : NULL);
    account_free(account);
}

static int time_is_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    answer(userdata, NULL);
    return 0;
}

/* Never blocks. */
int user_names_ask(struct user_names *names, uid_t uid, void (*done)(void *userdata),
                   void *userdata, struct user_name_question **question)
{
    struct user_name_question *fresh = calloc(1, sizeof(*fresh));
    char number[16];

    if (!fresh)
        return -ENOMEM;
    *fresh =
        (struct user_name_question){.names = names, .uid = uid, .done = done, .userdata = userdata};
    snprintf(number, sizeof(number), "%u", uid);
    struct account_question about = {.user = number};
    int r = sd_event_add_time_relative(names->event, &fresh->patience, CLOCK_MONOTONIC,
                                       PATIENCE_USEC, 0, time_is_over, fresh);
    if (r >= 0)
        r = account_look_up(&about, looked_up, fresh, &fresh->lookup);
    if (r < 0) {
        user_names_forget(fresh);
        return r;
    }
    *question = fresh;
    return 0;
}

void user_names_forget(struct user_name_question *question)
{
    if (!question)
        return;
    account_forget(question->lookup);
    sd_event_source_disable_unref(question->patience);
    free(question);
}

int user_names_new(sd_event *event, struct user_names **names)
{
    struct user_names *fresh = calloc(1, sizeof(*fresh));

    if (!fresh)
        return -ENOMEM;
    fresh->event = sd_event_ref(event);
    *names = fresh;
    return 0;
}

void user_names_free(struct user_names *names)
{
    if (!names)
        return;
    sd_event_unref(names->event);
    free(names);
}
