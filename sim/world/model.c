/*
 * Models of programs: a list of steps such as "run 2s" or "exit 1", and traits
 * such as "ignore-cancel".
 */
#include "world/model.h"

#include "manifest/unit.h"

#include <errno.h>
#include <string.h>

enum argument { NONE, DURATION, MAYBE_DURATION, SIZE, CODE, SIGNAL, WORD };

static const struct {
    const char *word;
    enum argument argument;
    enum step_kind kind;
    const char *expected;
} words[] = {
    {"beat every", DURATION, STEP_BEAT_EVERY, "beat every DURATION"},
    {"beat", NONE, STEP_BEAT, "beat"},
    {"ready", NONE, STEP_READY, "ready"},
    {"not-ready", NONE, STEP_NOT_READY, "not-ready"},
    {"run", DURATION, STEP_RUN, "run DURATION, such as run 5s"},
    {"exit", CODE, STEP_EXIT, "exit CODE, from 0 to 255"},
    {"die", SIGNAL, STEP_DIE, "die SIGNAL, such as die SIGSEGV"},
    {"oom", NONE, STEP_OOM, "oom"},
    {"wait cancel", NONE, STEP_WAIT_CANCEL, "wait cancel"},
    {"wait reload", NONE, STEP_WAIT_RELOAD, "wait reload"},
    {"wait", WORD, STEP_WAIT, "wait NAME"},
    {"status", WORD, STEP_STATUS, "status TEXT"},
    {"extend", DURATION, STEP_EXTEND, "extend DURATION"},
    {"reloading since", DURATION, STEP_RELOADING_SINCE, "reloading since DURATION"},
    {"reloading", NONE, STEP_RELOADING, "reloading"},
    {"stopping", NONE, STEP_STOPPING, "stopping"},
    {"trigger", NONE, STEP_TRIGGER, "trigger"},
    {"write-result", SIZE, STEP_WRITE_RESULT, "write-result BYTES, such as write-result 64K"},
    {"healthy", NONE, STEP_HEALTHY, "healthy"},
    {"unhealthy", NONE, STEP_UNHEALTHY, "unhealthy"},
    {"mute", NONE, STEP_MUTE, "mute"},
    {"ignore-cancel", NONE, STEP_IGNORE_CANCEL, "ignore-cancel"},
    {"cancel-takes", DURATION, STEP_CANCEL_TAKES, "cancel-takes DURATION"},
    {"hang", MAYBE_DURATION, STEP_HANG, "hang, or hang DURATION"},
    {"double-fork", NONE, STEP_DOUBLE_FORK, "double-fork"},
    {"left-takes", DURATION, STEP_LEFT_TAKES, "left-takes DURATION"},
    {"heeds", SIGNAL, STEP_HEEDS, "heeds SIGNAL, such as heeds SIGQUIT"},
    {"left-ignores", NONE, STEP_LEFT_IGNORES, "left-ignores"},
    {"reload-takes", DURATION, STEP_RELOAD_TAKES, "reload-takes DURATION"},
    {"reload-fails", NONE, STEP_RELOAD_FAILS, "reload-fails"},
    {"stop-fails", NONE, STEP_STOP_FAILS, "stop-fails"},
    {"after-takes", DURATION, STEP_AFTER_TAKES, "after-takes DURATION"},
    {"after-fails", NONE, STEP_AFTER_FAILS, "after-fails"},
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

/* What follows the word, NULL where the text does not begin with it. */
static const char *after_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(text, word, length) != 0 || (text[length] != '\0' && text[length] != ' '))
        return NULL;
    text += length;
    return text + strspn(text, " ");
}

/* What follows the word of a step. */
static int read_argument(enum argument argument, const char *rest, struct step *step)
{
    int signal, r;

    switch (argument) {
    case NONE:
        return *rest ? -EINVAL : 0;
    case MAYBE_DURATION:
        step->number = MODEL_FOREVER;
        return *rest ? unit_duration(rest, &step->number) : 0;
    case SIZE:
        return unit_size(rest, &step->number);
    case DURATION:
        return unit_duration(rest, &step->number);
    case CODE:
        return unit_number(rest, 255, &step->number);
    case SIGNAL:
        r = unit_signal(rest, &signal);
        step->number = r == 0 ? (uint64_t)signal : 0;
        return r;
    case WORD:
        step->word = rest;
        return *rest ? 0 : -EINVAL;
    }
    __builtin_unreachable();
}

/* `expected` says what would be right. */
int model_read_step(const char *text, struct step *step, const char **expected)
{
    for (size_t i = 0; i < N_WORDS; i++) {
        const char *rest = after_word(text, words[i].word);
        if (!rest)
            continue;
        *step = (struct step){.kind = words[i].kind};
        *expected = words[i].expected;
        return read_argument(words[i].argument, rest, step);
    }
    *expected =
        "a step of a model: ready, not-ready, beat, beat every D, run D, exit N, die SIGNAL, "
        "oom, wait NAME, wait cancel, wait reload, status TEXT, extend D, reloading, "
        "reloading since D, stopping, trigger, "
        "write-result BYTES, healthy, unhealthy, mute, ignore-cancel, cancel-takes D, hang D, "
        "double-fork, left-takes D, left-ignores, heeds SIGNAL, reload-takes D, reload-fails, "
        "stop-fails, after-takes D, after-fails";
    return -EINVAL;
}

bool model_step_runs(const struct step *step)
{
    return step->kind < STEP_IGNORE_CANCEL;
}

/* Traits hold from the beginning, wherever they stand among the steps. */
struct traits model_traits(const struct model *model)
{
    struct traits traits = {};

    for (size_t i = 0; i < model->count; i++) {
        const struct step *step = &model->steps[i];
        if (step->kind == STEP_IGNORE_CANCEL)
            traits.ignores_cancel = true;
        else if (step->kind == STEP_CANCEL_TAKES)
            traits.cancel_takes_usec = step->number;
        else if (step->kind == STEP_HANG)
            traits.hang_usec = step->number;
        else if (step->kind == STEP_DOUBLE_FORK)
            traits.double_forks = true;
        else if (step->kind == STEP_LEFT_TAKES)
            traits.left_takes_usec = step->number;
        else if (step->kind == STEP_LEFT_IGNORES)
            traits.left_ignores = true;
        else if (step->kind == STEP_HEEDS)
            traits.heeds = (int)step->number;
        else if (step->kind == STEP_RELOAD_TAKES)
            traits.reload_takes_usec = step->number;
        else if (step->kind == STEP_RELOAD_FAILS)
            traits.reload_fails = true;
        else if (step->kind == STEP_STOP_FAILS)
            traits.stop_fails = true;
        else if (step->kind == STEP_AFTER_FAILS)
            traits.after_fails = true;
        if (step->kind == STEP_AFTER_TAKES)
            traits.after_takes_usec = step->number;
        if (step->kind == STEP_AFTER_TAKES || step->kind == STEP_AFTER_FAILS)
            traits.is_followed = true;
    }
    return traits;
}
