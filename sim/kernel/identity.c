/*
 * Who a process is, and what the permissions of a file let it do.
 */
#include "kernel/identity.h"

#include <sys/stat.h>
#include <unistd.h>

bool identity_is_super(const struct identity *identity)
{
    return identity->uid == 0;
}

bool identity_has_group(const struct identity *identity, gid_t group)
{
    if (identity->gid == group)
        return true;
    for (size_t i = 0; i < identity->n_groups; i++)
        if (identity->groups[i] == group)
            return true;
    return false;
}

/* `wish` is made of R_OK, W_OK and X_OK. Only the most specific of owner, group
 * and others counts, even if another one would allow more; root needs some
 * execution bit to execute. */
bool identity_may(const struct identity *identity, mode_t mode, uid_t owner, gid_t group, int wish)
{
    bool any_execution = (mode & 0111) != 0 || S_ISDIR(mode);

    if (identity_is_super(identity))
        return !(wish & X_OK) || any_execution;
    if (identity->uid == owner)
        mode >>= 6;
    else if (identity_has_group(identity, group))
        mode >>= 3;
    return ((mode & 7) & (mode_t)wish) == (mode_t)wish;
}
