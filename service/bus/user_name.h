/*
 * User names: what uids are called, for the texts that say which user did something. The user
 * database may be far away, or dead: it is asked beside the loop, has two seconds to answer, and
 * what it said (or that it said nothing) is believed for a minute.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct user_names;
struct user_name_question;

/* Returns 0 or -ENOMEM. */
int user_names_new(sd_event *event, struct user_names **names);
void user_names_free(struct user_names *names);

/* True if no question is needed: *name is then valid until the next call; NULL: it has none. */
bool user_names_find(struct user_names *names, uid_t uid, const char **name);

/* `done` is called when user_names_find() knows it. Returns 0 or a negative errno. */
int user_names_ask(struct user_names *names, uid_t uid, void (*done)(void *userdata),
                   void *userdata, struct user_name_question **question);
/* Before `done` has been called. NULL is allowed. */
void user_names_forget(struct user_name_question *question);
