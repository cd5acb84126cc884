/*
 * The tree: supervisors, their children, and the order of declaration in which
 * everything is done.
 */
#include "reference/tree.h"
#include "core/vocabulary/invariant.h"

#include <string.h>

bool ref_is_below(struct ref *r, uint32_t s, uint32_t above)
{
    while (s != above && s != 0)
        s = r->supervisors[s].above;
    return s == above;
}

unsigned ref_depth(struct ref *r, uint32_t s)
{
    return s == 0 ? 0 : 1 + ref_depth(r, r->supervisors[s].above);
}

uint64_t ref_member_under(struct ref *r, const struct ref_child *c, uint32_t above)
{
    if (c->supervisor == above)
        return c->member;
    uint32_t s = c->supervisor;
    while (r->supervisors[s].above != above)
        s = r->supervisors[s].above;
    return r->supervisors[s].member;
}

/* If both hang at the same supervisor, the one that was declared first comes first. */
static bool comes_before(struct ref *r, const struct ref_child *a, const struct ref_child *b)
{
    uint32_t common = a->supervisor;
    while (!ref_is_below(r, b->supervisor, common))
        common = r->supervisors[common].above;
    return ref_member_under(r, a, common) < ref_member_under(r, b, common);
}

static int find_group(const struct supervisor_declaration *d, const char *name)
{
    for (size_t g = 0; g < d->n_groups; g++)
        if (strcmp(d->groups[g].name, name) == 0)
            return (int)g;
    return -1;
}

void ref_find_group(struct ref *r, struct ref_child *c)
{
    const struct supervisor_declaration *d = r->supervisors[c->supervisor].declaration;
    c->group = c->declaration->group ? find_group(d, c->declaration->group) : -1;
}

/* The last child declared gets its supervisor and its place in the order. */
void ref_place(struct ref *r, struct ref_child *c)
{
    uint32_t i = r->count - 1; /* c is the last child declared */
    const char *slash = strrchr(c->id, '/');
    size_t length = slash ? (size_t)(slash - c->id) : 0;
    c->member = ++r->members;
    for (uint32_t s = 0; s < r->n_supervisors; s++)
        if (strlen(r->supervisors[s].declaration->path) == length &&
            strncmp(r->supervisors[s].declaration->path, c->id, length) == 0)
            c->supervisor = s;
    ref_find_group(r, c);
    for (; i > 0 && comes_before(r, c, r->order[i - 1]); i--)
        r->order[i] = r->order[i - 1];
    r->order[i] = c;
}

static struct ref_group *make_groups(struct ref *r, const struct supervisor_declaration *d)
{
    struct ref_group *groups = r->allocate(r->userdata, (d->n_groups + 1) * sizeof(*groups));
    for (size_t g = 0; g < d->n_groups; g++) {
        groups[g] = (struct ref_group){.declaration = &d->groups[g]};
        groups[g].exits =
            r->allocate(r->userdata, (d->groups[g].burst + 1) * sizeof(*groups[g].exits));
    }
    return groups;
}

uint32_t ref_scope_number(uint32_t s, int group)
{
    return 1 + s * (GROUPS_MAX + 1) + (uint32_t)(group + 1);
}

uint32_t ref_scope_supervisor(uint32_t scope)
{
    return (scope - 1) / (GROUPS_MAX + 1);
}

void ref_begin_scope(struct ref *r, uint32_t scope)
{
    for (uint32_t i = 0; i < r->n_scopes; i++)
        if (r->scopes[i] == scope)
            return;
    r->scopes[r->n_scopes++] = scope;
}

void ref_end_scope(struct ref *r, uint32_t scope)
{
    for (uint32_t i = 0; i < r->n_scopes; i++)
        if (r->scopes[i] == scope) {
            memmove(&r->scopes[i], &r->scopes[i + 1], (--r->n_scopes - i) * sizeof(*r->scopes));
            return;
        }
}

int ref_find_supervisor(struct ref *r, const char *path)
{
    for (uint32_t s = 0; s < r->n_supervisors; s++)
        if (strcmp(r->supervisors[s].declaration->path, path) == 0)
            return (int)s;
    return -1;
}

bool ref_is_under(struct ref *r, const struct ref_child *c, uint32_t s)
{
    return c->here && ref_is_below(r, c->supervisor, s);
}

/* Whether c waits with none, or with fewer than all that are below s. */
bool ref_is_wider(struct ref *r, uint32_t s, const struct ref_child *c)
{
    return c->scope == 0 || ref_depth(r, s) < ref_depth(r, ref_scope_supervisor(c->scope));
}

void ref_join_scope(struct ref *r, struct ref_child *c, uint32_t s)
{
    c->scope = ref_scope_number(s, -1);
    ref_begin_scope(r, c->scope);
    if (c->attempt.active)
        return;
    ref_disarm(c, REF_START);
    c->waits = c->queued = 0;
}

bool reference_restarts(const struct ref *r, uint32_t supervisor, int group)
{
    for (uint32_t i = 0; i < r->n_scopes; i++)
        if (r->scopes[i] == ref_scope_number(supervisor, group))
            return true;
    return false;
}

/* Groups are known by their names: a child that waits in the scope of one continues to do so. */
static void regroup(struct ref *r, uint32_t s, const struct supervisor_declaration *old)
{
    const struct supervisor_declaration *d = r->supervisors[s].declaration;
    uint32_t scopes[GROUPS_MAX];
    for (size_t g = 0; g < old->n_groups; g++) {
        scopes[g] = ref_scope_number(s, find_group(d, old->groups[g].name));
        ref_end_scope(r, ref_scope_number(s, (int)g));
    }
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[i];
        if (!c->here || c->supervisor != s)
            continue;
        ref_find_group(r, c);
        if (c->scope == 0)
            continue;
        uint32_t g = (c->scope - 1) % (GROUPS_MAX + 1);
        if (ref_scope_supervisor(c->scope) == s && g > 0)
            c->scope = scopes[g - 1];
        ref_begin_scope(r, c->scope);
    }
}

static void make_room(struct ref *r)
{
    uint32_t room = r->supervisors_max > 0 ? r->supervisors_max * 2 : 2;
    struct ref_supervisor *larger = r->allocate(r->userdata, room * sizeof(*larger));

    if (r->supervisors)
        memcpy(larger, r->supervisors, r->n_supervisors * sizeof(*larger));
    r->supervisors = larger;
    r->supervisors_max = room;
}

/* The newest exits, as many as there is room for. */
static uint32_t keep_exits(uint64_t *to, uint32_t burst, const uint64_t *from, uint32_t used)
{
    uint32_t kept = used < burst + 1 ? used : burst + 1;
    memcpy(to, from + used - kept, kept * sizeof(*to));
    return kept;
}

/* What has been counted stays counted, of a group by its name; a token that was taken stays so. */
static void keep_counts(const struct ref *r, struct ref_supervisor *its,
                        const struct ref_supervisor *old)
{
    const struct supervisor_declaration *d = its->declaration, *before = old->declaration;
    its->used = keep_exits(its->exits, d->burst, old->exits, old->used);
    its->limit_updated = old->limit_updated;
    if (d->burst != before->burst || d->interval_usec != before->interval_usec ||
        its->used != old->used)
        ref_touch(r, &its->limit_updated);
    for (size_t g = 0; g < d->n_groups; g++) {
        int k = find_group(before, d->groups[g].name);
        if (k < 0)
            continue;
        const struct ref_group *was = &old->groups[k];
        struct ref_group *is = &its->groups[g];
        is->used = keep_exits(is->exits, d->groups[g].burst, was->exits, was->used);
        is->limit_updated = was->limit_updated;
        if (is->declaration->burst != was->declaration->burst ||
            is->declaration->interval_usec != was->declaration->interval_usec ||
            is->used != was->used)
            ref_touch(r, &is->limit_updated);
        if (was->declaration->budget_restarts > 0 && d->groups[g].budget_restarts > 0) {
            is->level = was->level;
            is->since = was->since;
        }
    }
}

/* A supervisor is declared, or declared again with other limits; then its
 * counts stay. */
void reference_supervise(struct ref *r, const struct supervisor_declaration *d)
{
    INVARIANT(d->path);
    const char *slash = strrchr(d->path, '/');
    size_t length = slash ? (size_t)(slash - d->path) : 0;
    uint32_t s = 0, above = 0;
    while (s < r->n_supervisors && strcmp(r->supervisors[s].declaration->path, d->path) != 0)
        s++;
    for (uint32_t i = 0; i < r->n_supervisors; i++)
        if (strlen(r->supervisors[i].declaration->path) == length &&
            strncmp(r->supervisors[i].declaration->path, d->path, length) == 0)
            above = i;
    bool there = s < r->n_supervisors;
    struct ref_supervisor old = {.declaration = d};
    if (there)
        old = r->supervisors[s];
    if (s == r->n_supervisors) {
        if (s == r->supervisors_max)
            make_room(r);
        r->n_supervisors++;
        r->supervisors[s] = (struct ref_supervisor){.member = ++r->members, .above = above};
    }
    r->supervisors[s].declaration = d;
    r->supervisors[s].exits = r->allocate(r->userdata, (d->burst + 1) * sizeof(uint64_t));
    r->supervisors[s].used = 0;
    r->supervisors[s].groups = make_groups(r, d);
    if (there)
        keep_counts(r, &r->supervisors[s], &old);
    regroup(r, s, old.declaration);
}

void ref_forget_scopes(struct ref *r)
{
    r->n_scopes = 0;
    for (uint32_t i = 0; i < r->count; i++)
        r->children[i].scope = 0;
}
