/*
 * What remains of a child that was removed: its generation and its fencing
 * token, by its id. A child that is declared again under this id continues
 * there, so that a stale process of the old one can never hold a token that is
 * as large as the new one's. Bounded: the oldest are forgotten first.
 */
#include "core/model/lineage.h"

#include "core/model/archive.h"
#include "core/model/declaration.h"
#include "core/private.h"

#include <errno.h>
#include <string.h>

static uint32_t hash_of(const char *id)
{
    uint32_t hash = UINT32_C(2166136261);

    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * UINT32_C(16777619);
    return hash;
}

/* Allocated with the child, long before it is needed: a removal must not fail
 * for lack of memory. */
struct lineage *lineage_new(struct core *core, const char *id)
{
    size_t size = strlen(id) + 1;
    struct lineage *lineage = core->ports.allocate(core->ports.userdata, sizeof(*lineage) + size);

    if (!lineage)
        return NULL;
    memcpy(lineage->id, id, size);
    lineage->hash = hash_of(id);
    return lineage;
}

static struct lineage **place_of(struct lineages *all, const struct lineage *of)
{
    struct lineage **link = &all->lists[of->hash % LINEAGE_LISTS];

    while (*link && ((*link)->hash != of->hash || strcmp((*link)->id, of->id) != 0))
        link = &(*link)->next;
    return link;
}

/* Out of both lists: the one of its hash, and the one by age. */
static void forget(struct core *core, struct lineage **link)
{
    struct lineages *all = &core->lineages;
    struct lineage *lineage = *link;

    *link = lineage->next;
    *(lineage->older ? &lineage->older->newer : &all->oldest) = lineage->newer;
    *(lineage->newer ? &lineage->newer->older : &all->newest) = lineage->older;
    all->count--;
    core->ports.release(core->ports.userdata, lineage);
}

/* The newest is at the end of the list by age; the oldest goes if there are too
 * many. */
static void keep(struct core *core, struct lineage *lineage)
{
    struct lineages *all = &core->lineages;
    struct lineage **list = &all->lists[lineage->hash % LINEAGE_LISTS];

    lineage->next = *list;
    *list = lineage;
    lineage->older = all->newest;
    lineage->newer = NULL;
    *(all->newest ? &all->newest->newer : &all->oldest) = lineage;
    all->newest = lineage;
    if (++all->count > LINEAGES_MAX)
        forget(core, place_of(all, all->oldest));
}

/* A child with this id has existed before: it continues from there, and the
 * record goes. */
void lineage_resume(struct core *core, struct child *child)
{
    struct lineage **link = place_of(&core->lineages, child->lineage);

    if (!*link)
        return;
    child->has_past = (*link)->born;
    child->generation = (*link)->generation;
    child->fence = (*link)->fence;
    forget(core, link);
}

/* A child that never ran leaves nothing. A job has a number that is never used
 * again, so it needs none. */
void lineage_leave(struct core *core, struct child *child)
{
    struct lineage *lineage = child->lineage;

    if (child->job || (!child->born && !child->has_past && child->fence == 0))
        return;
    child->lineage = NULL;
    lineage->born = child->born || child->has_past;
    lineage->generation = child->generation;
    lineage->fence = child->fence;
    keep(core, lineage);
}

/* Two records of one id are damage: which of them is right cannot be known. */
static int read_one(struct core *core, struct archive *a)
{
    const char *id = NULL;

    archive_string(a, &id);
    if (a->failed || !id || strlen(id) > CHILD_ID_MAX)
        return -EBADMSG;
    struct lineage *lineage = lineage_new(core, id);
    if (!lineage)
        return -ENOMEM;
    ARCHIVE(a, lineage->born);
    ARCHIVE(a, lineage->generation);
    ARCHIVE(a, lineage->fence);
    if (a->failed || *place_of(&core->lineages, lineage)) {
        core->ports.release(core->ports.userdata, lineage);
        return -EBADMSG;
    }
    keep(core, lineage);
    return 0;
}

static void write_one(struct archive *a, struct lineage *lineage)
{
    const char *id = lineage->id;

    archive_string(a, &id);
    ARCHIVE(a, lineage->born);
    ARCHIVE(a, lineage->generation);
    ARCHIVE(a, lineage->fence);
}

/* From the oldest to the newest, so that reading them in order restores the
 * order by age. */
int lineages_archive(struct core *core, struct archive *a)
{
    size_t count = core->lineages.count;
    int r = 0;

    archive_count(a, &count, LINEAGES_MAX);
    if (!a->reading)
        for (struct lineage *lineage = core->lineages.oldest; lineage; lineage = lineage->newer)
            write_one(a, lineage);
    for (size_t i = 0; a->reading && i < count && !a->failed && r == 0; i++)
        r = read_one(core, a);
    return r;
}

void lineages_free(struct core *core)
{
    while (core->lineages.oldest)
        forget(core, place_of(&core->lineages, core->lineages.oldest));
}
