/*
 * An outcome, read from the reply and printed as one line; its exit code.
 */
#include "ctl/outcome.h"

#include "ctl/document.h"
#include "ctl/terminal.h"

#include <inttypes.h>
#include <string.h>

const char *const outcome_keys[] = {"CommandId", "Attempt",         "Generation",    "Status",
                                    "Failure",   "GenerationFence", "Reload",        "TimedOut",
                                    "WaitsFor",  "NewAttempt",      "NewGeneration", NULL};

struct verdict {
    char decision[32];
    char child[544], before[16], after[16], status[16], stop[32];
    char phase[32], failure[256], waits_for[16], explanation[1024], reload[16];
    char would[3][1024]; /* of a dry run: the children that it would stop, start, restart */
    int idempotent, cancelled, timed_out;
    uint64_t target;
    bool has_target;
};

static const char *const plans[] = {"WouldStop", "WouldStart", "WouldRestart"};

static int read_verdict(sd_bus_message *m, struct verdict *verdict);

/* Those that have no room are left out; the answer itself has them, as JSON. */
static int read_names(sd_bus_message *m, char *names, size_t size)
{
    const char *name;
    size_t length = 0;
    int r = sd_bus_message_enter_container(m, 'v', "as");

    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "s");
    while (r >= 0 && (r = sd_bus_message_read(m, "s", &name)) > 0) {
        bool fits = length + strlen(name) + sizeof(" ...") < size;
        if (length < size)
            length += (size_t)snprintf(names + length, size - length, " %s", fits ? name : "...");
        length = fits ? length : size;
    }
    for (int i = 0; r >= 0 && i < 2; i++)
        r = sd_bus_message_exit_container(m);
    return r;
}

/* Nested dictionaries are read into the same structure. */
static int read_entry(sd_bus_message *m, const char *key, struct verdict *verdict)
{
    const struct {
        const char *key;
        char *text;
        size_t size;
    } texts[] = {
        {"ChildId", verdict->child, sizeof(verdict->child)},
        {"OperationBefore", verdict->before, sizeof(verdict->before)},
        {"OperationAfter", verdict->after, sizeof(verdict->after)},
        {"Status", verdict->status, sizeof(verdict->status)},
        {"StopState", verdict->stop, sizeof(verdict->stop)},
        {"Decision", verdict->decision, sizeof(verdict->decision)},
        {"Phase", verdict->phase, sizeof(verdict->phase)},
        {"Reason", verdict->failure, sizeof(verdict->failure)},
        {"Reload", verdict->reload, sizeof(verdict->reload)},
        {"WaitsFor", verdict->waits_for, sizeof(verdict->waits_for)},
        {"Explanation", verdict->explanation, sizeof(verdict->explanation)},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(texts[i].key, key) == 0) {
            const char *value;
            int r = sd_bus_message_read(m, "v", "s", &value);
            if (r >= 0)
                snprintf(texts[i].text, texts[i].size, "%s", value);
            return r;
        }
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
        if (strcmp(plans[i], key) == 0)
            return read_names(m, verdict->would[i], sizeof(verdict->would[i]));
    if (strcmp(key, "Idempotent") == 0)
        return sd_bus_message_read(m, "v", "b", &verdict->idempotent);
    if (strcmp(key, "TimedOut") == 0)
        return sd_bus_message_read(m, "v", "b", &verdict->timed_out);
    if (strcmp(key, "TargetGeneration") == 0) {
        verdict->has_target = true;
        return sd_bus_message_read(m, "v", "t", &verdict->target);
    }
    if (strcmp(key, "Failure") == 0 || strcmp(key, "GenerationFence") == 0 ||
        strcmp(key, "Conflict") == 0) {
        int r = sd_bus_message_enter_container(m, 'v', "a{sv}");
        if (r >= 0)
            r = read_verdict(m, verdict);
        return r < 0 ? r : sd_bus_message_exit_container(m);
    }
    return sd_bus_message_skip(m, "v");
}

/* Recursive, two levels deep. */
static int read_verdict(sd_bus_message *m, struct verdict *verdict)
{
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *key;
        r = sd_bus_message_read(m, "s", &key);
        if (r >= 0)
            r = read_entry(m, key, verdict);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* A stop that has failed is no failure for a caller that wants the child to run: it waits for that
 * stop. */
static bool is_of_the_old_one(const struct verdict *verdict)
{
    return strcmp(verdict->after, "active") == 0 && strcmp(verdict->phase, "spawn") != 0;
}

/* The order matters: rejected, timed out, failed, done. */
static int code_of(const struct verdict *verdict)
{
    if (strcmp(verdict->decision, "rejected") == 0 ||
        strcmp(verdict->decision, "blocked-by-shutdown") == 0)
        return CTL_REJECTED;
    if (verdict->timed_out)
        return CTL_TIMED_OUT;
    if (verdict->waits_for[0])
        return CTL_FAILED; /* and nothing brings it about */
    if (strcmp(verdict->reload, "timed-out") == 0 || strcmp(verdict->reload, "interrupted") == 0 ||
        strcmp(verdict->reload, "failed") == 0)
        return CTL_FAILED;
    return verdict->failure[0] && !is_of_the_old_one(verdict) ? CTL_FAILED : CTL_DONE;
}

/* The lists of a dry run. */
static void print_plan(FILE *out, const struct verdict *verdict)
{
    static const char *const titles[] = {"would stop:", "would start:", "would restart:"};

    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (!verdict->would[i][0])
            continue;
        fprintf(out, "; %s", titles[i]);
        text_write(out, verdict->would[i]);
    }
}

/* From the state that was reached to what went wrong. */
static void print_verdict(FILE *out, const struct client *client, const char *id,
                          const struct verdict *verdict)
{
    text_write(out, id);
    fprintf(out, ": %s%s", client->dry_run ? "would be: " : "", verdict->after);
    if (strcmp(verdict->before, verdict->after) != 0)
        fprintf(out, " (was %s)", verdict->before);
    if (verdict->decision[0])
        fprintf(out, ", %s", verdict->decision);
    if (verdict->has_target)
        fprintf(out, ", generation %" PRIu64, verdict->target);
    if (verdict->status[0])
        fprintf(out, ", %s", verdict->status);
    if (code_of(verdict) != CTL_REJECTED && strcmp(verdict->stop, "idle") != 0 &&
        strcmp(verdict->stop, "no-active-attempt") != 0)
        fprintf(out, ", %s%s", strcmp(verdict->stop, "failed") == 0 ? "stop " : "", verdict->stop);
    if (verdict->reload[0])
        fprintf(out, ", reload %s", verdict->reload);
    if (verdict->idempotent)
        fprintf(out, ", no change");
    if (verdict->failure[0])
        fputs(": ", out);
    text_write(out, verdict->failure);
    print_plan(out, verdict);
    if (!verdict->waits_for[0])
        return;
    if (verdict->timed_out)
        fprintf(out, "; timed out waiting for: %s (", verdict->waits_for);
    else
        fputs("; not ready (", out);
    text_write(out, verdict->explanation);
    fputc(')', out);
}

int outcome_write(FILE *out, const struct client *client, sd_bus_message *m)
{
    struct verdict verdict = {};
    int r = read_verdict(m, &verdict);

    if (r >= 0)
        print_verdict(out, client, verdict.child, &verdict);
    return r;
}

/* For one child. */
int outcome_answer(struct client *client, const char *id, sd_bus_message *reply)
{
    struct verdict verdict = {};
    int r = read_verdict(reply, &verdict);

    if (r >= 0 && client->json != JSON_OFF) {
        sd_bus_message_rewind(reply, true);
        r = answer_message(client, reply, outcome_keys);
    } else if (r >= 0 && !client->quiet) {
        print_verdict(stdout, client, id, &verdict);
        fputc('\n', stdout);
    }
    return r < 0 ? client_error(client, NULL, r) : code_of(&verdict);
}

/* For one of several. */
int outcome_show(struct client *client, sd_bus_message *m, int *code)
{
    struct verdict verdict = {};
    int r = read_verdict(m, &verdict);

    *code = code_of(&verdict);
    if (r >= 0 && !client->quiet && client->json == JSON_OFF) {
        print_verdict(stdout, client, verdict.child, &verdict);
        fputc('\n', stdout);
    }
    return r;
}
