/*
 * The kind of an exit. Several causes can be true at the same time (a child
 * that was asked to stop may also run out of memory); the order of the
 * questions says which one is reported: what the core forced, what it asked
 * for, what the kernel did, and at last what the program said.
 */
#include "core/rules/exit_kind.h"

#include "core/core.h"
#include "core/model/child.h"
#include "core/model/declaration.h"
#include "core/vocabulary/vocabulary.h"

bool exit_code_listed(const struct exit_codes *codes, int code)
{
    for (uint8_t i = 0; i < codes->count; i++)
        if (codes->codes[i] == code)
            return true;
    return false;
}

/* An unknown end (nobody was there to see it) counts as a failure, as it may
 * have been one. */
enum exit_kind exit_kind_classify(const struct child *child, const struct completion *completion)
{
    if (child->attempt.forced != EXIT_NONE)
        return child->attempt.forced;
    if (child->attempt.cancel_delivered)
        return EXIT_CANCELLED;
    if (completion->oom_killed)
        return EXIT_OOM_KILLED;
    if (completion->unknown)
        return EXIT_FAILED;
    if (completion->by_signal)
        return EXIT_SIGNALED;
    if (completion->code == 0 ||
        exit_code_listed(&child->config->declaration.success_exit_codes, completion->code))
        return EXIT_SUCCEEDED;
    return EXIT_FAILED;
}

uint64_t exit_kind_cause(const struct child *child, enum exit_kind kind, int signal)
{
    const struct kill *kill = &child->attempt.kill;
    bool by_kill = kind == EXIT_SIGNALED && kill->cause > 0 && kill->signal == signal;

    return by_kill ? kill->cause : child->attempt.stop.asked;
}
