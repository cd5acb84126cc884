/*
 * Strategy: which children are restarted together with one that failed.
 */
#pragma once

#include "reference/reference.h"

/* What failed: the member of this number, under `at`, in this group. */
struct fate {
    uint32_t at;
    uint64_t member;
    int group;
    enum strategy strategy;
};

/* Returns whether the failed one starts with others now; NULL: it stays down. */
bool ref_restart_together(struct ref *r, const struct fate *f, struct ref_child *failed);
bool ref_restart_scope(struct ref *r, struct ref_child *failed);
