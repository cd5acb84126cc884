/*
 * The tree as one list: each supervisor is followed by everything below it, and
 * knows its last descendant (`tail`). Walking a subtree is following the list
 * from its supervisor to its tail, without recursion; the order of the list is
 * the order of starts.
 */
#include "core/model/members.h"

#include "core/model/supervisor.h"
#include "core/private.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/vocabulary.h"

#include <string.h>

struct child *member_child(const struct member *member)
{
    if (member->is_supervisor)
        return NULL;
    return (struct child *)(void *)((char *)(uintptr_t)member - offsetof(struct child, member));
}

struct supervisor *member_supervisor(const struct member *member)
{
    if (!member->is_supervisor)
        return NULL;
    return (struct supervisor *)(void *)((char *)(uintptr_t)member -
                                         offsetof(struct supervisor, member));
}

static struct member *end_of(struct member *member)
{
    struct supervisor *supervisor = member_supervisor(member);
    return supervisor ? supervisor->tail : member;
}

/* At the end of its supervisor. All supervisors above, whose last descendant
 * was the same, now end here, too. */
void member_link(struct supervisor *supervisor, struct member *member)
{
    struct member *before = supervisor->tail;

    member->supervisor = supervisor;
    member->previous = before;
    member->next = before->next;
    if (before->next)
        before->next->previous = member;
    before->next = member;
    supervisor->members++;
    supervisor->listed++;
    for (; supervisor && supervisor->tail == before; supervisor = supervisor->member.supervisor)
        supervisor->tail = member;
}

/* The reverse. Only a member without anything below it can go. */
void member_unlink(struct member *member)
{
    struct supervisor *supervisor = member->supervisor;

    INVARIANT(end_of(member) == member);
    member->previous->next = member->next;
    if (member->next)
        member->next->previous = member->previous;
    supervisor->members--;
    supervisor->listed++;
    for (; supervisor && supervisor->tail == member; supervisor = supervisor->member.supervisor)
        supervisor->tail = member->previous;
}

struct child *supervisor_next(const struct supervisor *supervisor, const struct child *child)
{
    for (const struct member *member = &child->member; member != supervisor->tail;) {
        member = member->next;
        if (!member->is_supervisor)
            return member_child(member);
    }
    return NULL;
}

struct child *supervisor_first(const struct supervisor *supervisor)
{
    for (const struct member *member = &supervisor->member; member != supervisor->tail;) {
        member = member->next;
        if (!member->is_supervisor)
            return member_child(member);
    }
    return NULL;
}

struct child *supervisor_previous(const struct supervisor *supervisor, const struct child *child)
{
    for (const struct member *member = child->member.previous; member != &supervisor->member;
         member = member->previous)
        if (!member->is_supervisor)
            return member_child(member);
    return NULL;
}

struct child *supervisor_last(const struct supervisor *supervisor)
{
    for (const struct member *member = supervisor->tail; member != &supervisor->member;
         member = member->previous)
        if (!member->is_supervisor)
            return member_child(member);
    return NULL;
}

struct child *core_first(const struct core *core)
{
    return supervisor_first(&core->root);
}

struct child *core_next(const struct child *child)
{
    for (const struct member *member = child->member.next; member; member = member->next)
        if (!member->is_supervisor)
            return member_child(member);
    return NULL;
}

bool supervisor_is_above(const struct supervisor *above, const struct supervisor *below)
{
    for (; below; below = below->member.supervisor)
        if (below == above)
            return true;
    return false;
}

/* What a member belongs to, directly under a supervisor above it. */
static const struct member *member_under(const struct supervisor *above,
                                         const struct member *member)
{
    while (member->supervisor != above)
        member = &member->supervisor->member;
    return member;
}

/* By the order of the tree, without walking it: up to the common supervisor,
 * then along its members. Siblings that are children stand in the order of
 * their serial numbers. */
bool child_is_before(const struct child *child, const struct child *other)
{
    const struct supervisor *common = child->member.supervisor;

    while (!supervisor_is_above(common, other->member.supervisor))
        common = common->member.supervisor;
    const struct member *a = member_under(common, &child->member),
                        *b = member_under(common, &other->member);
    if (!a->is_supervisor && !b->is_supervisor) /* siblings stand in the order of their serials */
        return child->serial < other->serial;
    while (a && a != b)
        a = a->next;
    return a != NULL && child != other;
}

static bool path_is(const char *path, const char *text, size_t length)
{
    return strncmp(path, text, length) == 0 && path[length] == '\0';
}

static struct supervisor *find(const struct core *core, const char *path, size_t length)
{
    struct supervisor *supervisor = core_first_supervisor(core);
    while (supervisor && !path_is(supervisor->path, path, length))
        supervisor = supervisor->next;
    return supervisor;
}

struct supervisor *core_find_supervisor(const struct core *core, const char *path)
{
    return find(core, path, strlen(path));
}

size_t path_parent_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

struct supervisor *supervisor_of_path(const struct core *core, const char *path)
{
    return find(core, path, path_parent_length(path));
}

struct supervisor *core_first_supervisor(const struct core *core)
{
    return (struct supervisor *)(uintptr_t)&core->root;
}

struct supervisor *core_next_supervisor(const struct supervisor *supervisor)
{
    return supervisor->next;
}

struct group *supervisor_group(const struct supervisor *supervisor, const char *name)
{
    const struct supervisor_config *config = supervisor->config;

    for (size_t i = 0; name && i < config->declaration.n_groups; i++)
        if (strcmp(config->groups[i].declaration.name, name) == 0)
            return &config->groups[i];
    return NULL;
}

enum strategy supervisor_strategy(const struct supervisor *supervisor)
{
    return supervisor->config->declaration.strategy;
}

enum escalation supervisor_escalation(const struct supervisor *supervisor)
{
    return supervisor->config->declaration.escalation;
}
