/*
 * The sentences that people read: why a child ended, why a command was refused.
 * They are part of the specification, and compared word for word.
 */
#include "reference/words.h"

#include "core/outcome.h"
#include "core/report.h"
#include "core/vocabulary/invariant.h"
#include "core/vocabulary/text.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct ref_word {
    struct ref_word *next;
    char text[];
};

static uint32_t bucket_of(const char *text)
{
    uint32_t hash = 5381;

    for (; *text; text++)
        hash = hash * 33 + (unsigned char)*text;
    return hash % REF_WORDS;
}

/* Equal texts are kept once. */
const char *ref_keep(struct ref *r, const char *text)
{
    if (!text || !text[0])
        return "";
    struct ref_word **bucket = &r->words[bucket_of(text)];
    for (const struct ref_word *word = *bucket; word; word = word->next)
        if (strcmp(word->text, text) == 0)
            return word->text;
    size_t size = strlen(text) + 1;
    struct ref_word *word = r->allocate(r->userdata, sizeof(*word) + size);
    memcpy(word->text, text, size);
    word->next = *bucket;
    *bucket = word;
    return word->text;
}

const char *ref_say(struct ref *r, const char *format, ...)
{
    char text[REF_WORDS_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return ref_keep(r, text);
}

const char *ref_keep_short(struct ref *r, const char *text, size_t bytes)
{
    return strlen(text) <= bytes ? ref_keep(r, text) : ref_say(r, "%.*s", (int)bytes, text);
}

/* What the kind adds to the code or the signal. */
static const char *beginning(const struct ref_child *c)
{
    const struct ref_exit *exit = &c->how;

    if (c->exit == EXIT_SUCCEEDED && exit->early)
        return "too soon to be a success, ";
    if (c->exit == EXIT_OOM_KILLED)
        return "out of memory, ";
    if (c->exit == EXIT_TIMED_OUT)
        return exit->ran_out    ? "ran for longer than its run timeout, "
               : exit->own_stop ? "still there after a stop of its own, "
                                : "not ready within its start timeout, ";
    if (c->exit == EXIT_UNHEALTHY)
        return exit->failed_check ? "health checks failed, " : "heartbeat went silent, ";
    return c->exit == EXIT_CANCELLED ? "cancelled, " : "";
}

/* What it wrote last explains a failure, and nothing else. */
static const char *last_words(struct ref *r, const struct ref_child *c,
                              const struct completion *completion)
{
    bool failed = c->exit == EXIT_FAILED || c->exit == EXIT_SIGNALED ||
                  c->exit == EXIT_OOM_KILLED || c->exit == EXIT_TIMED_OUT ||
                  c->exit == EXIT_UNHEALTHY;
    size_t size = completion->output.size;
    char words[LAST_WORDS_MAX + 1];

    if (c->is_job || !failed || !completion->output.data)
        return "";
    snprintf(words, sizeof(words), "%.*s", (int)(size < INT_MAX ? size : INT_MAX),
             (const char *)completion->output.data);
    text_make_line(words);
    return *words ? ref_say(r, ": \"%s\"", words) : "";
}

/* How an attempt ended, in one sentence. */
const char *ref_exit_words(struct ref *r, const struct ref_child *c,
                           const struct completion *completion)
{
    const struct ref_exit *exit = &c->how;

    INVARIANT(completion);
    if (c->with_machine)
        return ref_say(r, "%sthe machine went down with it", beginning(c));
    if (completion->unknown)
        return ref_say(r, "%show it ended is not known: proctord was not there", beginning(c));
    return ref_say(r, "%s%s %d%s%s", beginning(c), exit->signal ? "signal" : "exit code",
                   exit->signal ? exit->signal : exit->code,
                   exit->core_dumped ? ", core dumped" : "", last_words(r, c, completion));
}

const char *ref_give_up_words(struct ref *r, const struct ref_child *c, bool fatal, bool within)
{
    if (fatal)
        return ref_say(r, "exit code %d is fatal", c->how.code);
    if (within)
        return ref_keep(r, "failed again in the one try after its cool-down");
    return ref_say(r, "restart limit used up: %u counted exits within %ju s, burst is %u", c->used,
                   (uintmax_t)(c->declaration->interval_usec / 1000000), c->declaration->burst);
}

const char *ref_fuse_words(struct ref *r, const struct ref_child *c)
{
    return ref_say(r, "the limit of the group \"%s\" is used up",
                   r->supervisors[c->supervisor].groups[c->group].declaration->name);
}

const char *ref_meltdown_words(struct ref *r, uint32_t s, const struct ref_child *c)
{
    const char *path = r->supervisors[s].declaration->path;

    return ref_say(r, "the restart limit of %s is used up, last by %s", path[0] ? path : "the root",
                   c->id);
}

/* Why a child that is held does not start. */
const char *ref_hold_words(const struct ref_child *c)
{
    switch (c->operation) {
    case CHILD_PAUSED:
        return "the child is paused: resume it first";
    case CHILD_QUARANTINED:
        return "the child is quarantined: resume it first";
    case CHILD_REMOVED:
        return "the child is being removed";
    case CHILD_ACTIVE:
        break;
    }
    return "";
}

const char *ref_lack_words(struct ref *r, const char *id)
{
    return ref_say(r, "it requires %s%s", id,
                   reference_find(r, id) ? ", which is not ready" : ", which was removed");
}
