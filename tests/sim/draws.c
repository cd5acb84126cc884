/*
 * What the swarm draws: over some seeds, each key of a child that keys.def calls DRAWN has had
 * another value than its default, and no other has: what the core decides by is tried, and a person
 * who adds such a key is reminded to draw it.
 */
#include "core/core.h"
#include "core/idle_ports.h"
#include "core/model/declaration_keys.h"
#include "search/campaign.h"
#include "runs/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 400

static const struct row {
    const char *of, *path, *draws;
} rows[] = {
#define KEY(of, path, section, type, def, kinds, range, cost, draws, meaning) {#of, path, #draws},
#include "manifest/keys.def"
#undef KEY
};

static void look_at(const struct child_declaration *declaration, uint64_t *seen)
{
    struct core_ports ports = core_ports_idle();
    struct child_declaration plain;
    uint64_t keys = 0;

    declaration_defaults(&plain, ROLE_WORKER);
    plain.id = "a child";
    if (declaration_compare(&ports, &plain, declaration, &keys) == 0)
        *seen |= keys;
}

/* Looked at after each step. */
static bool look(void *userdata, struct world *world)
{
    for (struct child *child = core_first(world->core); child; child = core_next(child)) {
        look_at(&child->config->declaration, userdata);
        if (child->next_config)
            look_at(&child->next_config->declaration, userdata);
    }
    return false;
}

static uint64_t drawn_by_the_swarm(void)
{
    struct schedule schedule = {};
    uint64_t seen = 0;
    struct run run = {.memory = memory_new(RUN_MEMORY),
                      .schedule = &schedule,
                      .stop_after = look,
                      .observe_userdata = &seen};
    struct result result;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        run.seed = seed;
        campaign_begin_schedule(&schedule, seed);
        run_once(&run, &result);
    }
    memory_free(run.memory);
    schedule_free(&schedule);
    return seen;
}

static uint64_t drawn_by_the_table(void)
{
    uint64_t keys = 0;

    for (const struct row *row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++) {
        char name[32];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(row->path, "."), row->path);
        if (strcmp(row->of, "CHILD") == 0 && strcmp(row->draws, "DRAWN") == 0)
            keys |= KEY_BIT(declaration_key_find(name));
    }
    return keys;
}

int main(void)
{
    uint64_t seen = drawn_by_the_swarm(), said = drawn_by_the_table();
    int wrong = 0;

    for (int key = 0; key < DECLARATION_KEYS; key++)
        if ((seen ^ said) & KEY_BIT(key)) {
            printf("# %s: %s\n", declaration_key_name((enum declaration_key)key),
                   said & KEY_BIT(key) ? "is never drawn"
                                       : "is drawn, and keys.def does not say so");
            wrong++;
        }
    printf("%s 1 - the swarm draws what keys.def says\n1..1\n", wrong ? "not ok" : "ok");
    return 0;
}
