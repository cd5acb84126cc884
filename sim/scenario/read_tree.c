#include "scenario/read_tree.h"

#include "core/vocabulary/invariant.h"
#include "scenario/reading.h"

#include <errno.h>
#include <string.h>

static int read_step_of_model(struct reader *reader, const struct node *node, size_t i,
                              void *target)
{
    struct model *model = target;
    struct step *step = (struct step *)&model->steps[i];
    const char *text, *expected;

    int r = reading_text(reader, node, &text);
    if (r < 0)
        return r;
    if (model_read_step(text, step, &expected) < 0)
        return reader_refuse(reader, node, "expected %s, got \"%.60s\"", expected, text);
    model->count = i + 1;
    return 0;
}

static int read_model(struct reader *reader, const struct node *node, size_t i, void *target)
{
    struct scenario_actor *actor = target;
    struct model *model = &actor->models[i];

    model->steps = reading_list(reader, node, sizeof(struct step));
    actor->n_models = i + 1;
    return model->steps ? reader_list(reader, node, model, read_step_of_model) : -ENOMEM;
}

static int read_models(struct reader *reader, const struct node *node, struct scenario_actor *actor)
{
    bool several = node->kind == NODE_LIST && reader_list_length(node) > 0 &&
                   node->items[0]->kind == NODE_LIST;

    actor->models = reading_list(reader, node, sizeof(struct model));
    if (!actor->models)
        return -ENOMEM;
    return several ? reader_list(reader, node, actor, read_model)
                   : read_model(reader, node, 0, actor);
}

int read_tree_actor(struct reader *reader, const struct node *node, const char *above,
                    struct scenario_actor *actor)
{
    const struct node *model = node_find(node, "model");
    const struct node *rest = model ? node_without(reader->arena, node, "model") : node;
    int r = rest ? manifest_read_child(reader, rest, above, &actor->declaration) : -ENOMEM;

    INVARIANT(reader->arena && node);
    if (r < 0)
        return r;
    actor->declaration.manifest = actor->declaration.manifest_path = "";
    actor->declaration.has_process = model != NULL || actor->declaration.has_process;
    actor->models = arena_allocate(reader->arena, sizeof(struct model));
    actor->n_models = 1;
    if (!actor->models)
        return -ENOMEM;
    if (!model)
        return 0;
    size_t mark = reader_enter(reader, "model");
    r = read_models(reader, model, actor);
    reader_leave(reader, mark);
    return r;
}

struct scenario_actor *read_tree_new_actor(struct reader *reader, struct subject *scenario)
{
    INVARIANT(reader->arena && scenario);
    if (scenario->n_actors == scenario->actors_max) {
        size_t max = scenario->actors_max ? scenario->actors_max * 2 : 16;
        struct scenario_actor *larger = arena_allocate(reader->arena, max * sizeof(*larger));
        if (!larger)
            return NULL;
        if (scenario->n_actors > 0)
            memcpy(larger, scenario->actors, scenario->n_actors * sizeof(*larger));
        scenario->actors = larger;
        scenario->actors_max = max;
    }
    return &scenario->actors[scenario->n_actors++];
}

/* The list of a supervisor. */
struct members {
    struct subject *scenario;
    const char *above;
};

static int read_supervisor(struct reader *reader, const struct node *node, const char *above,
                           struct subject *scenario);

static int read_member(struct reader *reader, const struct node *node, size_t i, void *target)
{
    const struct members *members = target;

    (void)i;
    if (node_find(node, "children"))
        return read_supervisor(reader, node, members->above, members->scenario);
    struct scenario_actor *actor = read_tree_new_actor(reader, members->scenario);
    return actor ? read_tree_actor(reader, node, members->above, actor) : -ENOMEM;
}

static int read_supervisor(struct reader *reader, const struct node *node, const char *above,
                           struct subject *scenario)
{
    struct supervisor_declaration *d = &scenario->supervisors[scenario->n_supervisors];
    const struct node *children = node_find(node, "children");
    bool ignored;

    if (scenario->n_supervisors == WORLD_SUPERVISORS)
        return reader_refuse(reader, node, "more than %d supervisors", WORLD_SUPERVISORS);
    scenario->n_supervisors++;
    int r = manifest_read_supervisor(reader, node, above, d, &ignored);
    if (r < 0)
        return r;
    d->position = scenario->n_actors;
    if (!children)
        return 0;
    struct members members = {scenario, d->path};
    size_t mark = reader_enter(reader, "children");
    r = reader_list(reader, children, &members, read_member);
    if (r == 0)
        reader_leave(reader, mark);
    return r;
}

int read_tree(struct reader *reader, const struct node *node, void *target)
{
    struct subject *scenario = target;

    INVARIANT(reader->arena && node);
    scenario->supervisors =
        arena_allocate(reader->arena, WORLD_SUPERVISORS * sizeof(*scenario->supervisors));
    return scenario->supervisors ? read_supervisor(reader, node, NULL, scenario) : -ENOMEM;
}
