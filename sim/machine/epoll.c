/*
 * epoll: a list of descriptions with the events that are wanted. Level and edge
 * triggered, and one-shot.
 */
#include "machine/epoll.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ALWAYS (EPOLLERR | EPOLLHUP)

struct item {
    int number;
    struct description *description; /* not held: epoll_forget() */
    struct epoll_event event;
    bool off;       /* one-shot, and told */
    uint64_t moves; /* of the description, when it was told */
    bool told;      /* the edge */
};

struct epoll {
    struct epoll *next;
    struct item *list; /* in the order in which they are asked */
    size_t count, room;
};

static struct epoll *all;

static struct item *find(const struct epoll *epoll, int number,
                         const struct description *description)
{
    for (size_t i = 0; i < epoll->count; i++)
        if (epoll->list[i].number == number && epoll->list[i].description == description)
            return &epoll->list[i];
    return NULL;
}

static void remove_item(struct epoll *epoll, struct item *item)
{
    size_t at = (size_t)(item - epoll->list);

    memmove(item, item + 1, (epoll->count - at - 1) * sizeof(*item));
    epoll->count--;
}

/* Grows the list as needed. */
static int add(struct epoll *epoll, int number, struct description *description,
               const struct epoll_event *event)
{
    if (epoll->count == epoll->room) {
        size_t room = epoll->room * 2 + 16;
        struct item *larger = realloc(epoll->list, room * sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        epoll->list = larger;
        epoll->room = room;
    }
    epoll->list[epoll->count++] =
        (struct item){.number = number, .description = description, .event = *event};
    return 0;
}

/* Descriptions without poll, such as files, are refused with -EPERM. */
int epoll_change(struct description *description, int operation, int number,
                 struct description *target, const struct epoll_event *event)
{
    struct epoll *epoll = description->object;
    struct item *item = find(epoll, number, target);

    if (!target->kind->poll)
        return -EPERM;
    switch (operation) {
    case EPOLL_CTL_ADD:
        return item ? -EEXIST : add(epoll, number, target, event);
    case EPOLL_CTL_MOD:
        if (item)
            *item = (struct item){.number = number, .description = target, .event = *event};
        return item ? 0 : -ENOENT;
    case EPOLL_CTL_DEL:
        if (item)
            remove_item(epoll, item);
        return item ? 0 : -ENOENT;
    default:
        return -EINVAL;
    }
}

/* What is ready of one. With edge triggering it counts once until the
 * description has moved. */
static unsigned ready(struct item *item, struct runner *asking)
{
    struct description *description = item->description;
    unsigned events = 0;

    if (!item->off)
        events = description->kind->poll(description, asking) & (item->event.events | ALWAYS);
    if (events == 0)
        item->told = false;
    else if (item->event.events & EPOLLET && item->told && item->moves == description->moves)
        events = 0;
    return events;
}

/* What was reported goes to the end of the list, so that with little room
 * everybody gets a turn. */
int epoll_collect(struct description *description, struct runner *asking, struct epoll_event *list,
                  int room)
{
    struct epoll *epoll = description->object;
    struct item *told = calloc(epoll->count + 1, sizeof(*told));
    size_t n = 0, kept = 0;

    if (!told)
        return -ENOMEM;
    for (size_t i = 0; i < epoll->count; i++) {
        struct item *item = &epoll->list[i];
        unsigned events = n < (size_t)room ? ready(item, asking) : 0;
        if (events == 0) {
            epoll->list[kept++] = *item;
            continue;
        }
        item->told = true;
        item->moves = item->description->moves;
        item->off = item->event.events & EPOLLONESHOT;
        list[n] = (struct epoll_event){.events = events, .data = item->event.data};
        told[n++] = *item;
    }
    memcpy(epoll->list + kept, told, n * sizeof(*told));
    free(told);
    return (int)n;
}

void epoll_forget(const struct description *description)
{
    for (struct epoll *epoll = all; epoll; epoll = epoll->next)
        for (size_t i = epoll->count; i-- > 0;)
            if (epoll->list[i].description == description)
                remove_item(epoll, &epoll->list[i]);
}

static unsigned poll_epoll(struct description *description, struct runner *asking)
{
    const struct epoll *epoll = description->object;

    for (size_t i = 0; i < epoll->count; i++)
        if (ready(&epoll->list[i], asking) != 0)
            return EPOLLIN;
    return 0;
}

static void release_epoll(struct description *description)
{
    struct epoll *epoll = description->object;
    struct epoll **at = &all;

    while (*at != epoll)
        at = &(*at)->next;
    *at = epoll->next;
    free(epoll->list);
    free(epoll);
}

static const struct description_kind epoll_kind = {"epoll", NULL, NULL, poll_epoll, release_epoll};

struct description *epoll_new(int flags)
{
    struct epoll *epoll = calloc(1, sizeof(*epoll));

    if (!epoll)
        return NULL;
    epoll->next = all;
    all = epoll;
    description_on_end(epoll_forget);
    return description_new(&epoll_kind, epoll, flags);
}

bool epoll_is_one(const struct description *description)
{
    return description && description->kind == &epoll_kind;
}
