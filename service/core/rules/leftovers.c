/*
 * Processes that outlive their main process. The attempt is over only when all
 * of them are gone, but how it ended is decided by the main process, at the
 * moment in which it ended: so the kind is kept, and whatever the stragglers do
 * later does not change it.
 */
#include "core/rules/leftovers.h"

#include "core/model/child_change.h"
#include "core/model/present.h"
#include "core/model/restart_queue.h"
#include "core/model/stop_order.h"
#include "core/private.h"
#include "core/rules/exit_kind.h"
#include "core/rules/stop.h"
#include "core/rules/watch.h"
#include "core/vocabulary/event.h"
#include "core/vocabulary/vocabulary.h"

static void tell(struct core *core, struct child *child, enum leftovers what, uint64_t cause)
{
    core_changed(core, child);
    EMIT(core, EVENT_CHILD_LEFTOVERS, child, cause,
         FIELD_TEXT_OF("action", leftovers_to_string(what)), FIELD_NUMBER_OF("left", child->left));
}

void leftovers_followed(struct core *core, struct child *child)
{
    const struct child_declaration *declaration = &child->config->declaration;

    child->left = 0;
    child_set_status(core, child, CHILD_CANCELLING);
    liveness_stop_watching(core, child);
    restart_queue_end(core, child);
    child_arm_timeout(core, child, TIMER_STOP,
                      child->attempt.abort_requested ? declaration->abort_timeout_usec
                                                     : declaration->stop_timeout_usec);
    EMIT_BARE(core, EVENT_CHILD_AFTER_STOP, child,
              exit_kind_cause(child, child->attempt.main.kind,
                              child->attempt.main.by_signal ? child->attempt.main.signal : 0));
    stop_order_update(core, child);
    core_changed(core, child);
}

/* What is left is treated like a stop of its own: with a signal and a time, or
 * at once. Readiness was the main process's word, and ends with it. */
void leftovers_begin(struct core *core, struct child *child, const struct completion *completion)
{
    bool at_once = child->config->declaration.leftovers == LEFTOVERS_KILL;

    child->attempt.main = (struct main_end){
        .gone = true,
        .unknown = completion->unknown,
        .by_signal = completion->by_signal,
        .core_dumped = completion->core_dumped,
        .oom_killed = completion->oom_killed,
        .code = completion->code,
        .signal = completion->signal,
        .kind = exit_kind_classify(child, completion),
    };
    if (child->readiness == READINESS_READY)
        child->readiness = READINESS_UNREPORTED; /* it was the main process's word */
    uint64_t cause = exit_kind_cause(child, child->attempt.main.kind,
                                     completion->by_signal ? completion->signal : 0);
    if (completion->left == 0) {
        if (!child->attempt.cancel_delivered && !child->attempt.abort_requested)
            child->attempt.stop = (struct stop_causes){cause, cause, cause};
        leftovers_followed(core, child);
        return;
    }
    child->left = completion->left;
    tell(core, child, at_once || child->attempt.abort_requested ? LEFTOVERS_KILL : LEFTOVERS_WAIT,
         cause);
    if (at_once) {
        child_set_status(core, child, CHILD_CANCELLING);
        child_abort(core, child, cause);
    } else {
        child_cancel(core, child, cause, "leftovers");
    }
}

/* What has ended is its main process, whose end stands already; the rest only left with it. */
static void copy_main(struct completion *completion, const struct main_end *main)
{
    completion->unknown = main->unknown;
    completion->with_machine = false;
    completion->by_signal = main->by_signal;
    completion->core_dumped = main->core_dumped;
    completion->oom_killed = main->oom_killed;
    completion->code = main->code;
    completion->signal = main->signal;
}

/* With `keep`, what is left stays; the event gives their number. */
enum exit_kind leftovers_end(struct core *core, struct child *child, struct completion *completion)
{
    const struct main_end *main = &child->attempt.main;
    enum exit_kind kind = main->gone ? main->kind : exit_kind_classify(child, completion);

    if (main->gone)
        copy_main(completion, main);
    if (child->left != completion->left)
        core_changed(core, child);
    child->left = completion->left;
    if (completion->left > 0)
        tell(core, child, LEFTOVERS_KEEP,
             exit_kind_cause(child, kind, completion->by_signal ? completion->signal : 0));
    return kind;
}
