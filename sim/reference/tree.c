#include "reference/tree.h"

/* ---- the shape ------------------------------------------------------------------------------- */

static bool is_below(struct ref *r, uint32_t s, uint32_t above)
{
    while (s != above && s != 0)
        s = r->supervisors[s].above;
    return s == above;
}

static unsigned depth(struct ref *r, uint32_t s)
{
    return s == 0 ? 0 : 1 + depth(r, r->supervisors[s].above);
}

/* The number of the member of `above` that c is, or is below of. */
static uint64_t member_under(struct ref *r, const struct ref_child *c, uint32_t above)
{
    if (c->supervisor == above)
        return c->member;
    uint32_t s = c->supervisor;
    while (r->supervisors[s].above != above)
        s = r->supervisors[s].above;
    return r->supervisors[s].member;
}

/* Where both hang at the same supervisor, whoever was declared first comes first. */
static bool comes_before(struct ref *r, const struct ref_child *a, const struct ref_child *b)
{
    uint32_t common = a->supervisor;
    while (!is_below(r, b->supervisor, common))
        common = r->supervisors[common].above;
    return member_under(r, a, common) < member_under(r, b, common);
}

static int find_group(const struct supervisor_declaration *d, const char *name)
{
    for (size_t g = 0; g < d->n_groups; g++)
        if (strcmp(d->groups[g].name, name) == 0)
            return (int)g;
    return -1;
}

void tree_find_group(struct ref *r, struct ref_child *c)
{
    const struct supervisor_declaration *d = r->supervisors[c->supervisor].declaration;
    c->group = c->declaration->group ? find_group(d, c->declaration->group) : -1;
}

void tree_place(struct ref *r, struct ref_child *c)
{
    uint32_t i = r->count - 1; /* c is the last child declared */
    const char *slash = strrchr(c->id, '/');
    size_t length = slash ? (size_t)(slash - c->id) : 0;
    c->member = ++r->members;
    for (uint32_t s = 0; s < r->n_supervisors; s++)
        if (strlen(r->supervisors[s].declaration->path) == length &&
            strncmp(r->supervisors[s].declaration->path, c->id, length) == 0)
            c->supervisor = s;
    tree_find_group(r, c);
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

/* Scopes are numbered by their supervisor, and the group in it. */
static uint32_t scope_number(uint32_t s, int group)
{
    return 1 + s * (GROUPS_MAX + 1) + (uint32_t)(group + 1);
}

static uint32_t scope_supervisor(uint32_t scope)
{
    return (scope - 1) / (GROUPS_MAX + 1);
}

static void begin_scope(struct ref *r, uint32_t scope)
{
    for (uint32_t i = 0; i < r->n_scopes; i++)
        if (r->scopes[i] == scope)
            return;
    r->scopes[r->n_scopes++] = scope;
}

static void end_scope(struct ref *r, uint32_t scope)
{
    for (uint32_t i = 0; i < r->n_scopes; i++)
        if (r->scopes[i] == scope) {
            memmove(&r->scopes[i], &r->scopes[i + 1], (--r->n_scopes - i) * sizeof(*r->scopes));
            return;
        }
}

int tree_find(struct ref *r, const char *path)
{
    for (uint32_t s = 0; s < r->n_supervisors; s++)
        if (strcmp(r->supervisors[s].declaration->path, path) == 0)
            return (int)s;
    return -1;
}

bool tree_is_under(struct ref *r, const struct ref_child *c, uint32_t s)
{
    return c->here && is_below(r, c->supervisor, s);
}

/* Whether c waits with nobody, or with fewer than all that are below s. */
bool tree_is_wider(struct ref *r, uint32_t s, const struct ref_child *c)
{
    return c->scope == 0 || depth(r, s) < depth(r, scope_supervisor(c->scope));
}

void tree_join(struct ref *r, struct ref_child *c, uint32_t s)
{
    c->scope = scope_number(s, -1);
    begin_scope(r, c->scope);
    if (c->attempt.active)
        return;
    ref_disarm(c, REF_START);
    c->waits = c->queued = 0;
}

bool reference_restarts(const struct ref *r, uint32_t supervisor, int group)
{
    for (uint32_t i = 0; i < r->n_scopes; i++)
        if (r->scopes[i] == scope_number(supervisor, group))
            return true;
    return false;
}

/* Groups are known by their names: who waits in the scope of one goes on doing so. */
static void regroup(struct ref *r, uint32_t s, const struct supervisor_declaration *old)
{
    const struct supervisor_declaration *d = r->supervisors[s].declaration;
    uint32_t scopes[GROUPS_MAX];
    for (size_t g = 0; g < old->n_groups; g++) {
        scopes[g] = scope_number(s, find_group(d, old->groups[g].name));
        end_scope(r, scope_number(s, (int)g));
    }
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[i];
        if (!c->here || c->supervisor != s)
            continue;
        tree_find_group(r, c);
        if (c->scope == 0)
            continue;
        uint32_t g = (c->scope - 1) % (GROUPS_MAX + 1);
        if (scope_supervisor(c->scope) == s && g > 0)
            c->scope = scopes[g - 1];
        begin_scope(r, c->scope);
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
static void keep_counts(struct ref_supervisor *its, const struct ref_supervisor *old)
{
    const struct supervisor_declaration *d = its->declaration, *before = old->declaration;
    its->used = keep_exits(its->exits, d->burst, old->exits, old->used);
    for (size_t g = 0; g < d->n_groups; g++) {
        int k = find_group(before, d->groups[g].name);
        if (k < 0)
            continue;
        const struct ref_group *was = &old->groups[k];
        struct ref_group *is = &its->groups[g];
        is->used = keep_exits(is->exits, d->groups[g].burst, was->exits, was->used);
        if (was->declaration->budget_restarts > 0 && d->groups[g].budget_restarts > 0) {
            is->level = was->level;
            is->since = was->since;
        }
    }
}

void reference_supervise(struct ref *r, const struct supervisor_declaration *d)
{
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
        keep_counts(&r->supervisors[s], &old);
    regroup(r, s, old.declaration);
}

/* ---- who depends on whom --------------------------------------------------------------------- */

/* Whether c may start for the sake of one that it requires. Who is ready by its end has ended; only
 * its sidecars are there while it runs. */
static bool goes_around(const struct child_declaration *d)
{
    return d->role == ROLE_SIDECAR && d->sidecar_order == SIDECAR_AROUND;
}

bool tree_goes_around(const struct ref_child *c)
{
    return goes_around(c->declaration);
}

static bool comes_up(struct ref *r, struct ref_child *c);
static bool is_ready(struct ref *r, const struct child_declaration *d,
                     const struct ref_child *target);

static bool is_sidecar_around(const struct ref_child *c, const struct child_declaration *primary)
{
    return c && goes_around(c->declaration) &&
           strcmp(c->declaration->requires[0], primary -> id) == 0;
}

/* Whether a start under this declaration would have to wait for another than those that go around
 * it. */
static bool lacks_another(struct ref *r, const struct child_declaration *d)
{
    bool lacks = false;
    for (size_t i = 0; !lacks && i < d->n_requires + d->n_after; i++) {
        bool required = i < d->n_requires;
        const char *id = required ? d->requires[i] : d->after[i - d->n_requires];
        struct ref_child *target = reference_find(r, id);
        if (!is_sidecar_around(target, d))
            lacks = required ? !is_ready(r, d, target) : comes_up(r, target);
    }
    return lacks;
}

/* Who goes around this one is to be there while it is, and before: it runs, or would start now. */
static bool is_about_to_run(struct ref *r, const struct ref_child *primary)
{
    if (primary->attempt.active)
        return primary->attempt.status != CHILD_CANCELLING;
    return primary->waits > 0 && !lacks_another(r, primary->declaration);
}

static bool is_ready(struct ref *r, const struct child_declaration *d,
                     const struct ref_child *target)
{
    if (!target || target->waits_to_go) /* it is about to go */
        return false;
    if (goes_around(d) && strcmp(d->requires[0], target -> id) == 0)
        return is_about_to_run(r, target);
    if (!ref_ends_ready(target))
        return target->attempt.active && target->attempt.status == CHILD_READY;
    if (d->role == ROLE_SIDECAR && strcmp(d->requires[0], target -> id) == 0)
        return target->attempt.active && target->attempt.status == CHILD_RUNNING;
    return !target->attempt.active && target->readiness == READINESS_READY;
}

static size_t dependencies(const struct ref_child *c)
{
    return c->declaration->n_requires + c->declaration->n_after;
}

/* Those that it requires, then those that it only comes after. */
static const char *dependency(const struct ref_child *c, size_t i)
{
    size_t n = c->declaration->n_requires;
    return i < n ? c->declaration->requires[i] : c->declaration->after[i - n];
}

/* The first that a start under this declaration needs and does not find. One that comes back, by a
 * restart that is pending or by the same command, will be waited for. */
static const char *missing(struct ref *r, const struct child_declaration *d, bool or_comes_back)
{
    for (size_t i = 0; i < d->n_requires; i++) {
        struct ref_child *target = reference_find(r, d->requires[i]);
        bool comes_back =
            target && ((target->pending && comes_up(r, target)) || target->comes_back);
        if (!is_ready(r, d, target) && !(or_comes_back && comes_back))
        return d->requires[i];
    }
    return NULL;
}

/* It is coming up, and nothing says that it is about to go. */
static bool is_coming_up(const struct ref_child *c)
{
    return c->attempt.active && c->attempt.status != CHILD_CANCELLING && !c->waits_to_go &&
           c->readiness == READINESS_UNREPORTED;
}

/* An old attempt is there, and no deadline will end it any more. */
static bool is_stuck_behind_its_old_one(const struct ref_child *c)
{
    return c->attempt.active && c->stop_state == STOP_FAILED && c->deadline[REF_STOP] == 0;
}

/* Whether it gets there by itself: also by a restart that is pending, or by the input that starts
 * several. A start that waits for a child that is not on its way up is not on its way either. */
static bool comes_up(struct ref *r, struct ref_child *c)
{
    bool all = true;
    if (!c || c->looked_at)
        return false;
    if (c->named_to_start || is_coming_up(c))
        return true;
    if ((c->waits == 0 && c->queued == 0 && !c->pending) || is_stuck_behind_its_old_one(c))
        return false;
    c->looked_at = true;
    for (size_t i = 0; all && i < c->declaration->n_requires; i++) {
        struct ref_child *target = reference_find(r, c->declaration->requires[i]);
        all = is_ready(r, c->declaration, target) || comes_up(r, target);
    }
    c->looked_at = false;
    return all;
}

static const char *obstacle_of_its_own(struct ref *r, const struct child_declaration *d,
                                       bool *required)
{
    const char *obstacle = missing(r, d, false);
    *required = obstacle != NULL;
    for (size_t i = 0; !obstacle && i < d->n_after; i++)
        if (!is_sidecar_around(reference_find(r, d->after[i]), d) &&
            comes_up(r, reference_find(r, d->after[i])))
            obstacle = d->after[i];
    return obstacle;
}

/* Whether nothing but the primary keeps a sidecar from starting. */
static bool only_waits_for_its_primary(struct ref *r, const struct ref_child *c)
{
    struct child_declaration without = *c->declaration;
    bool required;
    without.role = ROLE_WORKER; /* its primary is left out, and so what it is to it */
    without.requires ++;
    without.n_requires--;
    return !obstacle_of_its_own(r, &without, &required);
}

/* A primary waits for who goes around it and comes up, or will when the old one of it is gone; not
 * for ever: an attempt that has no time to become ready is not waited for, nor one that cannot be
 * ended. */
static bool comes_first(struct ref *r, const struct ref_child *c)
{
    const struct child_declaration *d = c->declaration;
    if (!c->here || c->operation != CHILD_ACTIVE)
        return false;
    if (c->attempt.active && c->attempt.status == CHILD_CANCELLING)
        return c->pending && (c->stop_state != STOP_FAILED || c->deadline[REF_STOP] > 0);
    if (c->attempt.active)
        return c->readiness == READINESS_UNREPORTED &&
               !(c->attempt.spawned && (d->start_timeout_usec == 0 || ref_ends_ready(c)));
    return c->queued > 0 ||
           ((c->named_to_start || c->waits > 0 || c->pending) && only_waits_for_its_primary(r, c));
}

const char *tree_obstacle(struct ref *r, const struct ref_child *c, bool *required)
{
    const char *obstacle = obstacle_of_its_own(r, c->declaration, required);
    for (uint32_t i = c->process->has_process ? r->count : 0; !obstacle && i-- > 0;) {
        const struct child_declaration *d = r->children[i].declaration;
        if (goes_around(d) && strcmp(d->requires[0], c -> id) == 0 &&
            comes_first(r, &r->children[i]))
            obstacle = d->id;
    }
    return obstacle;
}

bool tree_may_start(struct ref *r, const struct ref_child *c)
{
    bool required;
    return !tree_obstacle(r, c, &required);
}

/* Apart from those that would come before it because it is to start. */
bool tree_starts_at_once(struct ref *r, const struct ref_child *c)
{
    bool required;
    return !obstacle_of_its_own(r, c->declaration, &required);
}

/* What stands in the way of a start that somebody asks for while the old attempt may be there
 * still: nothing is stopped for it then. */
const char *tree_lacks(struct ref *r, const struct ref_child *c)
{
    return missing(r, c->declaration, true);
}

static bool is_meant(const struct ref_child *c, enum command_verb verb)
{
    if (c->is_job || !c->process->has_process)
        return false;
    if (verb == COMMAND_RESUME)
        return c->operation != CHILD_REMOVED && c->wanted;
    return verb == COMMAND_RESTART && c->operation == CHILD_ACTIVE;
}

/* Who of a scope comes back by a command on all of it: those that it is meant for, but for whoever
 * needs one that does not. */
void tree_find_who_comes_back(struct ref *r, uint32_t s, enum command_verb verb)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = &r->children[i];
        c->comes_back = tree_is_under(r, c, s) && is_meant(c, verb);
    }
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < r->count; i++)
            if (r->children[i].comes_back && tree_lacks(r, &r->children[i])) {
                r->children[i].comes_back = false;
                again = true;
            }
    }
}

void tree_forget_who_comes_back(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        r->children[i].comes_back = false;
}

/* ---- in what order they go ------------------------------------------------------------------- */

static bool depends_on(const struct ref_child *c, const struct ref_child *target)
{
    bool is_one = c->declaration->role == ROLE_SIDECAR;
    if (goes_around(target->declaration) && strcmp(target->declaration->requires[0], c -> id) == 0)
        return true;
    for (size_t i = is_one ? 1 : 0; /* a sidecar holds up no primary */ i < dependencies(c); i++)
        if (strcmp(dependency(c, i), target->id) == 0)
            return true;
    return false;
}

/* It is there still, and somebody has asked it to go; not for ever: its own deadlines end it. */
static bool is_on_its_way_out(const struct ref_child *c)
{
    if (!c->here || !c->attempt.active)
        return false;
    if (c->named || c->waits_to_go)
        return true;
    return (c->attempt.cancelled || c->attempt.aborted) &&
           !(c->stop_state == STOP_FAILED && c->deadline[REF_STOP] == 0);
}

bool tree_is_held_up(struct ref *r, const struct ref_child *c)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (is_on_its_way_out(&r->children[i]) && depends_on(&r->children[i], c))
            return true;
    return false;
}

/* One of several that are asked to go together: all are named before the first is asked. */
void tree_name(struct ref_child *c)
{
    c->named = c->attempt.active && !c->attempt.cancelled && !c->attempt.aborted;
}

/* Who was named and not asked after all goes on. */
void tree_spare_the_rest(struct ref *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        r->children[i].named = false;
}

/* Those go whom nobody holds up any more. */
void tree_let_go(struct ref *r)
{
    for (uint32_t i = r->count; i-- > 0;)
        if (r->order[i]->here && r->order[i]->waits_to_go && !tree_is_held_up(r, r->order[i]))
            ref_cancel(r, r->order[i], r->order[i]->goes_by_hand);
}

/* ---- not too many at once -------------------------------------------------------------------- */

static uint32_t in_flight(struct ref *r, uint32_t s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->count; i++)
        n += r->children[i].here && r->children[i].supervisor == s && r->children[i].in_flight;
    return n;
}

static struct ref_child *first_queued(struct ref *r, uint32_t s)
{
    struct ref_child *first = NULL;
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = &r->children[i];
        if (c->here && c->supervisor == s && c->queued > 0 && (!first || c->queued < first->queued))
            first = c;
    }
    return first;
}

static bool below_cap(struct ref *r, uint32_t s)
{
    uint32_t cap = r->supervisors[s].declaration->max_restarts_in_flight;
    return in_flight(r, s) < (cap > 0 ? cap : r->cap);
}

bool tree_has_room(struct ref *r, const struct ref_child *c)
{
    return !first_queued(r, c->supervisor) && below_cap(r, c->supervisor);
}

static void start_queued(struct ref *r)
{
    for (uint32_t s = 0; s < r->n_supervisors; s++)
        for (struct ref_child *c; below_cap(r, s) && (c = first_queued(r, s));) {
            c->queued = 0;
            if (tree_may_start(r, c))
                ref_start(r, c);
            else
                c->waits = ++r->next_wait;
        }
}

/* ---- restarting together --------------------------------------------------------------------- */

static bool is_down_for_good(const struct ref_child *c, uint32_t scope)
{
    return !c->attempt.active &&
           (c->operation != CHILD_ACTIVE || c->declaration->restart == RESTART_TEMPORARY ||
            c->scope == scope ||
            (c->waits == 0 && c->queued == 0 && c->scope == 0 &&
             (c->deadline[REF_START] == 0 || c->gave_up)));
}

static void bring_in(struct ref *r, struct ref_child *c, uint32_t scope)
{
    c->scope = scope;
    if (c->attempt.active && c->fence == FENCE_READY_TO_START) {
        c->pending = c->pending_by_resume =
            false; /* the target is on its way: it is the old one now */
        c->fence = FENCE_OPEN;
    }
    if (c->operation != CHILD_ACTIVE || c->declaration->restart == RESTART_TEMPORARY) {
        ref_go(r, c, false);
    } else if (c->pending) {
        c->duplicates++;
        c->pending_by_resume = false;
        ref_insist(r, c);
    } else if (c->attempt.active) {
        ref_enter_fence(r, c, false, false);
    }
    if (c->attempt.active)
        return;
    ref_disarm(c, REF_START);
    c->waits = c->queued = 0;
    if (!c->pending)
        ref_wait_for_siblings(c, false);
}

/* What failed: the member of this number, under `at`, in this group. */
struct fate {
    uint32_t at;
    uint64_t member;
    int group;
    enum strategy strategy;
};

static bool shares_the_fate(struct ref *r, const struct ref_child *c, const struct fate *f)
{
    if (!c->here || c->is_job || !is_below(r, c->supervisor, f->at))
        return false;
    uint64_t member = member_under(r, c, f->at);
    if ((c->supervisor == f->at ? c->group : -1) != f->group)
        return false;
    if (f->strategy == STRATEGY_ONE_FOR_ONE)
        return member == f->member;
    return f->strategy == STRATEGY_ONE_FOR_ALL || member >= f->member;
}

static uint32_t widest_scope(struct ref *r, const struct fate *f)
{
    uint32_t scope = scope_number(f->at, f->group);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct ref_child *c = &r->children[i];
        if (shares_the_fate(r, c, f) && c->scope > 0 &&
            depth(r, scope_supervisor(c->scope)) < depth(r, scope_supervisor(scope)))
            scope = c->scope;
    }
    return scope;
}

/* Returns whether the failed one starts with others now; NULL: it stays down. */
static bool restart_together(struct ref *r, const struct fate *f, struct ref_child *failed)
{
    uint32_t scope = widest_scope(r, f);
    bool others = false;
    for (uint32_t i = 0; i < r->count; i++)
        if (shares_the_fate(r, &r->children[i], f))
            tree_name(&r->children[i]);
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = r->order[i];
        if (c == failed || !shares_the_fate(r, c, f))
            continue;
        if (!is_down_for_good(c, scope))
            bring_in(r, c, scope);
        others = others || c->scope > 0;
    }
    tree_spare_the_rest(r);
    if (!others)
        return false;
    begin_scope(r, scope);
    if (failed) {
        failed->scope = scope;
        ref_wait_for_siblings(failed, false);
    }
    return true;
}

bool tree_restart_scope(struct ref *r, struct ref_child *c)
{
    const struct supervisor_declaration *d = r->supervisors[c->supervisor].declaration;
    struct fate f = {.at = c->supervisor,
                     .member = c->member,
                     .group = c->group,
                     .strategy = c->group >= 0 ? d->groups[c->group].strategy : d->strategy};
    return c->declaration->role != ROLE_SIDECAR && restart_together(r, &f, c);
}

static bool is_going(const struct ref_child *c, uint32_t scope)
{
    return c->here && c->scope == scope && (c->attempt.active || c->deadline[REF_START] > 0);
}

/* Where the last of a scope is gone and its backoff is over, its members start in order. */
static bool start_scope(struct ref *r, uint32_t scope)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (is_going(r->order[i], scope))
            return false;
    end_scope(r, scope);
    for (uint32_t i = 0; i < r->count; i++) {
        struct ref_child *c = r->order[i];
        if (!c->here || c->scope != scope)
            continue;
        c->scope = 0;
        if (c->pending)
            ref_start_or_wait(r, c, !c->pending_by_hand);
    }
    return true;
}

void tree_forget_scopes(struct ref *r)
{
    r->n_scopes = 0;
    for (uint32_t i = 0; i < r->count; i++)
        r->children[i].scope = 0;
}

/* Whoever waits is looked at, the one who waits longest first. Returns whether one was started. */
static bool start_waiting(struct ref *r)
{
    bool any = false;
    uint64_t last = 0;
    for (;;) {
        struct ref_child *next = NULL;
        for (uint32_t i = 0; i < r->count; i++) {
            struct ref_child *c = &r->children[i];
            if (c->here && c->waits > last && (!next || c->waits < next->waits))
                next = c;
        }
        if (!next)
            return any;
        last = next->waits;
        if (!tree_may_start(r, next))
            continue;
        ref_start_or_wait(r, next, next->automatic);
        any = true;
    }
}

void tree_wake(struct ref *r)
{
    tree_let_go(r);
    for (uint32_t i = 0; i < r->n_scopes;)
        if (!start_scope(r, r->scopes[i]))
            i++;
    start_queued(r);
    while (start_waiting(r)) /* a start that fails at once may be what another one waited for */
        ;
    jobs_start(r);
}

/* ---- limits above the child ------------------------------------------------------------------ */

/* One more in a window that keeps burst + 1; returns whether a restart is still allowed. */
static bool count(struct ref *r, uint64_t *exits, uint32_t *used, uint32_t burst, uint64_t interval)
{
    uint32_t kept = ref_kept(exits, *used, r->now, interval);
    memmove(exits, exits + *used - kept, kept * sizeof(*exits));
    if (kept == burst + 1)
        memmove(exits, exits + 1, --kept * sizeof(*exits));
    exits[kept++] = r->now;
    *used = kept;
    return kept <= burst;
}

static bool count_in_supervisor(struct ref *r, uint32_t s)
{
    struct ref_supervisor *supervisor = &r->supervisors[s];
    const struct supervisor_declaration *d = supervisor->declaration;
    return count(r, supervisor->exits, &supervisor->used, d->burst, d->interval_usec);
}

enum exit_decision tree_count(struct ref *r, struct ref_child *c)
{
    if (c->group >= 0) {
        struct ref_group *group = &r->supervisors[c->supervisor].groups[c->group];
        const struct group_declaration *d = group->declaration;
        return !d->limited || count(r, group->exits, &group->used, d->burst, d->interval_usec)
                   ? DECISION_RESTART
                   : DECISION_FUSE;
    }
    if (c->declaration->criticality == CRITICALITY_OPTIONAL)
        return DECISION_RESTART;
    if (!r->supervisors[c->supervisor].declaration->limited)
        return DECISION_RESTART;
    return count_in_supervisor(r, c->supervisor) ? DECISION_RESTART : DECISION_MELTDOWN;
}

/* A bucket that leaks: how long until what is in it fits. */
uint64_t tree_budget(struct ref *r, struct ref_child *c)
{
    if (c->group < 0)
        return 0;
    struct ref_group *group = &r->supervisors[c->supervisor].groups[c->group];
    const struct group_declaration *d = group->declaration;
    if (d->budget_restarts == 0)
        return 0;
    uint64_t passed = r->now - group->since;
    group->level =
        (group->level > passed ? group->level - passed : 0) + d->budget_usec / d->budget_restarts;
    group->since = r->now;
    return group->level > d->budget_usec ? group->level - d->budget_usec : 0;
}

static void clear_limits(struct ref *r, uint32_t s)
{
    for (uint32_t i = 0; i < r->n_supervisors; i++)
        if (is_below(r, i, s))
            r->supervisors[i].used = 0;
}

static bool is_quarantined_with(struct ref *r, const struct ref_child *c, uint32_t s)
{
    return tree_is_under(r, c, s) && !c->is_job && c->operation < CHILD_QUARANTINED;
}

static void quarantine_scope(struct ref *r, uint32_t s)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (is_quarantined_with(r, &r->children[i], s))
            tree_name(&r->children[i]);
    for (uint32_t i = r->count; i-- > 0;) {
        struct ref_child *c = r->order[i];
        if (!is_quarantined_with(r, c, s))
            continue;
        c->operation = CHILD_QUARANTINED;
        ref_withdraw_starts(c);
        ref_go(r, c, false);
    }
}

static void restart_supervisor(struct ref *r, uint32_t s, struct ref_child *c)
{
    uint32_t above = r->supervisors[s].above;
    struct fate f = {.at = above,
                     .member = r->supervisors[s].member,
                     .group = -1,
                     .strategy = r->supervisors[above].declaration->strategy};
    bool comes_back = c->declaration->restart != RESTART_TEMPORARY;
    c->wanted = comes_back;
    if (c->gave_up) {
        c->used = 0;
        ref_disarm(c, REF_WINDOW);
    }
    c->gave_up = false;
    clear_limits(r, s);
    uint64_t delay = comes_back ? ref_back_off(r, c) : 0;
    bool with_others = restart_together(r, &f, comes_back ? c : NULL);
    if (comes_back && !with_others && delay == 0)
        ref_start_or_wait(r, c, true);
}

void tree_melt_down(struct ref *r, uint32_t s, struct ref_child *c)
{
    enum escalation escalation = r->supervisors[s].declaration->escalation;
    if (escalation == ESCALATION_QUARANTINE_SCOPE) {
        clear_limits(r, s);
        quarantine_scope(r, s);
    } else if (escalation == ESCALATION_SHUTDOWN_TREE || s == 0) {
        ref_shut_down(r, true);
    } else if (count_in_supervisor(r, r->supervisors[s].above)) {
        restart_supervisor(r, s, c);
    } else {
        tree_melt_down(r, r->supervisors[s].above, c);
    }
}
