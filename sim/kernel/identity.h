/*
 * Identity: with which rights a process of the model acts. The superuser may do everything: single
 * capabilities are not modelled.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define IDENTITY_GROUPS_MAX 32

struct identity {
    uid_t uid;
    gid_t gid;
    size_t n_groups;
    gid_t groups[IDENTITY_GROUPS_MAX];
};

/* The superuser, to which permissions do not apply. */
bool identity_is_super(const struct identity *identity);
/* Its own group, or one of the others. */
bool identity_has_group(const struct identity *identity, gid_t group);

/* R_OK, W_OK and X_OK, as the mode, the owner and the group of a file have it. */
bool identity_may(const struct identity *identity, mode_t mode, uid_t owner, gid_t group, int wish);
