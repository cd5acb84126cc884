/*
 * Draws a story: a manifest, programs, a bus with clients, and what happens to
 * the machine.
 */
#include "whole/story.h"

#include "whole/drawn_manifest.h"

#include <string.h>

#define MSEC UINT64_C(1000000)
#define SEC  (1000 * MSEC)

const char *const moment_words[MOMENTS] = {
    [MOMENT_NOTHING] = "nothing",
    [MOMENT_COMPARE] = "compare",
    [MOMENT_END] = "end",
    [MOMENT_KILL] = "kill",
    [MOMENT_KILL_AT] = "kill-at-call",
    [MOMENT_REEXECUTE] = "reexecute",
    [MOMENT_RELOAD] = "reload",
    [MOMENT_DIE] = "die",
    [MOMENT_KILL_SPAWNER] = "kill-spawner",
    [MOMENT_POWER] = "power",
    [MOMENT_BUS] = "bus",
    [MOMENT_STOP] = "stop",
    [MOMENT_CLOCK] = "clock",
    [MOMENT_JOURNALD] = "journald",
    [MOMENT_CHANGE] = "change",
    [MOMENT_SIGNAL] = "signal",
    [MOMENT_COMMAND] = "command",
    [MOMENT_EXPECT] = "expect",
    [MOMENT_MANIFEST] = "manifest",
    [MOMENT_MUTE_BUS] = "mute-bus",
    [MOMENT_HANG] = "hang",
    [MOMENT_STRANGER] = "stranger",
    [MOMENT_REMEMBER] = "remember",
    [MOMENT_REST] = "rest",
};

static uint32_t draw(struct schedule *schedule, uint32_t n)
{
    return schedule_choose(schedule, n);
}

static uint64_t draw_time(struct schedule *schedule)
{
    static const uint64_t spans[] = {SEC, 10 * MSEC, 100 * MSEC, 10 * SEC, 60 * SEC};
    uint64_t span = spans[draw(schedule, 5)];

    return span * (1 + draw(schedule, 20)) / 20;
}

/* Of the wall clock: a second to a year, and back. */
static int64_t draw_jump(struct schedule *schedule)
{
    static const int64_t spans[] = {1, 60, 3600, 86400, 31536000};
    int64_t span = spans[draw(schedule, 5)] * (int64_t)SEC;

    return draw(schedule, 2) ? -span : span;
}

/* Up to five things that happen, and then time to come to rest. */
/* What the program after an upgrade has is what it was given and what it needs: what the one before
 * had besides was a leak. */
static void draw_rest(struct story *story, uint64_t *at)
{
    static const enum moment_kind kinds[] = {MOMENT_REMEMBER, MOMENT_REEXECUTE, MOMENT_REST};

    for (size_t i = 0; i < 3; i++)
        story->moments[story->n_moments++] =
            (struct moment){.at_nsec = *at += 2 * SEC, .kind = kinds[i]};
}

static void draw_moments(struct schedule *schedule, struct story *story)
{
    uint32_t n = draw(schedule, 6);
    uint64_t at = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct moment *moment = &story->moments[story->n_moments++];
        at += draw_time(schedule);
        *moment = (struct moment){
            .at_nsec = at, .kind = MOMENT_KILL + draw(schedule, MOMENT_SIGNAL - MOMENT_KILL)};
        if (moment->kind == MOMENT_KILL_AT)
            moment->which = draw(schedule, 1500);
        else if (moment->kind == MOMENT_CLOCK)
            moment->change_nsec = draw_jump(schedule);
        else if (moment->kind == MOMENT_DIE)
            moment->which = draw(schedule, (uint32_t)story->n_actors);
    }
    story->faults_until_nsec = at;
    at += SEC + draw_time(schedule);
    story->moments[story->n_moments++] = (struct moment){.at_nsec = at, .kind = MOMENT_COMPARE};
    at += SEC;
    if (draw(schedule, 3) == 1)
        draw_rest(story, &at);
    story->moments[story->n_moments++] = (struct moment){.at_nsec = at, .kind = MOMENT_END};
    story->end_nsec = story->moments[story->n_moments - 1].at_nsec + 300 * SEC;
}

static void draw_client(struct schedule *schedule, struct bus_client_story *client)
{
    *client = (struct bus_client_story){
        .habit = CLIENT_OPERATES + draw(schedule, CLIENT_STRAYS - CLIENT_OPERATES + 1)};
    client->uid = draw(schedule, 3) == 1 ? 1000 : 0;
    client->turns = 1 + draw(schedule, client->habit == CLIENT_FLOODS ? 2 : 10);
    client->begin_nsec = draw_time(schedule);
    client->pause_nsec = draw_time(schedule) / 10;
}

/* One always listens. */
static void draw_bus(struct schedule *schedule, struct bus_story *bus)
{
    uint32_t n = draw(schedule, BUS_CLIENTS);

    bus->absent = draw(schedule, 8) == 1;
    bus->clients[bus->n_clients++] = (struct bus_client_story){.habit = CLIENT_LISTENS};
    while (n-- > 0)
        draw_client(schedule, &bus->clients[bus->n_clients++]);
    bus->authority = draw(schedule, AUTHORITY_MANNERS);
    bus->authority_delay_nsec = draw_time(schedule) / 10;
}

/* Entry. */
void story_draw(struct schedule *schedule, struct story *story)
{
    static const pid_t last[] = {32768, 400, 1000};

    memset(story, 0, sizeof(*story));
    drawn_manifest(schedule, story);
    story->pid_max = last[draw(schedule, 3)];
    story->cgroups = draw(schedule, 2) == 0;
    story->power = draw(schedule, 3) == 1;
    story->journald = draw(schedule, 2) == 1;
    draw_moments(schedule, story);
    draw_bus(schedule, &story->bus);
    story->faults.call_error = draw(schedule, 4) == 1 ? 5 : 0;
    story->faults.short_write = draw(schedule, 4) == 1 ? 100 : 0;
}
