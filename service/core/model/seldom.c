/*
 * What a child rarely has: a failure, a last exit, words of a hold, a row of a
 * shutdown. Kept in blocks apart from the children, so that for ten thousand
 * children that never fail these pages are never touched, and cost no memory.
 */
#include "core/model/seldom.h"

#include "core/private.h"
#include "core/vocabulary/invariant.h"

#include <errno.h>

#define FEWEST 4    /* slots of the first block */
#define MOST   1024 /* of one */

struct seldom {
    struct seldom *next;
    uint32_t first, count; /* slots */
    struct failure *failures;
    struct last_exit *exits;
    struct child_shutdown *shutdowns;
    struct stale_report *stale_reports;
    struct operation_words *words;
    struct status_text *texts;
};

static size_t size_of(uint32_t count)
{
    return sizeof(struct seldom) +
           count * (sizeof(struct failure) + sizeof(struct last_exit) +
                    sizeof(struct child_shutdown) + sizeof(struct stale_report) +
                    sizeof(struct operation_words) + sizeof(struct status_text));
}

/* Those with the strictest alignment first. */
static void lay_out(struct seldom *seldom)
{
    uint32_t count = seldom->count;

    seldom->exits = (struct last_exit *)(void *)(seldom + 1);
    seldom->shutdowns = (struct child_shutdown *)(void *)(seldom->exits + count);
    seldom->stale_reports = (struct stale_report *)(void *)(seldom->shutdowns + count);
    seldom->failures = (struct failure *)(void *)(seldom->stale_reports + count);
    seldom->words = (struct operation_words *)(void *)(seldom->failures + count);
    seldom->texts = (struct status_text *)(void *)(seldom->words + count);
}

static uint32_t end_of(const struct core *core)
{
    return core->seldom ? core->seldom->first + core->seldom->count : 0;
}

/* As many as there are, so that there are few blocks. */
static uint32_t next_count(uint32_t end)
{
    uint32_t count = end < FEWEST ? FEWEST : end;

    return count < MOST ? count : MOST;
}

/* Each block is larger than the one before. A block that was added stays even
 * if the next one fails. */
int seldom_reserve(struct core *core, uint32_t slots)
{
    while (end_of(core) < slots) {
        uint32_t count = next_count(end_of(core));
        struct seldom *fresh = core->ports.allocate(core->ports.userdata, size_of(count));
        if (!fresh)
            return -ENOMEM; /* what has been added is used later */
        fresh->first = end_of(core);
        fresh->count = count;
        lay_out(fresh);
        fresh->next = core->seldom;
        core->seldom = fresh;
    }
    return 0;
}

/* One that was there before may have left something. */
static void clear(void *place, size_t size)
{
    const unsigned char *bytes = place;

    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0) {
            memset(place, 0, size);
            return;
        }
}

static void clear_all(struct child *child)
{
    clear(child->failure, sizeof(*child->failure));
    clear(child->last_exit, sizeof(*child->last_exit));
    clear(child->shutdown, sizeof(*child->shutdown));
    clear(child->last_stale, sizeof(*child->last_stale));
    clear(child->words, sizeof(*child->words));
    clear(child->status_text, sizeof(*child->status_text));
}

/* The parts of a child's slot. A slot is reused, so they are cleared first. */
void seldom_give(struct core *core, struct child *child)
{
    struct seldom *seldom = core->seldom;

    while (seldom && seldom->first > child->slot)
        seldom = seldom->next;
    INVARIANT(seldom && child->slot - seldom->first < seldom->count);
    uint32_t i = child->slot - seldom->first;
    child->failure = &seldom->failures[i];
    child->last_exit = &seldom->exits[i];
    child->shutdown = &seldom->shutdowns[i];
    child->last_stale = &seldom->stale_reports[i];
    child->words = &seldom->words[i];
    child->status_text = &seldom->texts[i];
    clear_all(child);
}

/* For a dry run: what may change is put aside. Padding is zeroed, because
 * copies are compared byte for byte. */
void seldom_save(const struct child *child, struct seldom_copy *copy)
{
    memset(copy, 0, sizeof(*copy)); /* copies are compared */
    memcpy(&copy->failure, child->failure, sizeof(copy->failure));
    memcpy(&copy->last_exit, child->last_exit, sizeof(copy->last_exit));
    memcpy(&copy->shutdown, child->shutdown, sizeof(copy->shutdown));
    memcpy(&copy->last_stale, child->last_stale, sizeof(copy->last_stale));
    memcpy(&copy->words, child->words, sizeof(copy->words));
    memcpy(&copy->status_text, child->status_text, sizeof(copy->status_text));
}

void seldom_restore(struct child *child, const struct seldom_copy *copy)
{
    seldom_put(child->failure, &copy->failure, sizeof(copy->failure));
    seldom_put(child->last_exit, &copy->last_exit, sizeof(copy->last_exit));
    seldom_put(child->shutdown, &copy->shutdown, sizeof(copy->shutdown));
    seldom_put(child->last_stale, &copy->last_stale, sizeof(copy->last_stale));
    seldom_put(child->words, &copy->words, sizeof(copy->words));
    seldom_put(child->status_text, &copy->status_text, sizeof(copy->status_text));
}

void seldom_free(struct core *core)
{
    while (core->seldom) {
        struct seldom *next = core->seldom->next;
        core->ports.release(core->ports.userdata, core->seldom);
        core->seldom = next;
    }
}
