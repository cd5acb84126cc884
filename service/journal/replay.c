/*
 * The one loop from frames to the core, for a recovery, for proctor-sim, and
 * for the simulated disk.
 */
#include "journal/replay.h"

#include "core/vocabulary/invariant.h"

#include <errno.h>

/* An input takes the same way as when it was new. */
static int read_input(struct replay *replay, struct archive *archive)
{
    struct core_input input = {};

    input_archive(archive, &input);
    if (archive->failed)
        return -EBADMSG;
    if (replay->input)
        replay->input(replay->userdata, &input);
    core_replay(replay->core, &input);
    replay->inputs++;
    return 0;
}

/* One that cannot be read has changed the core all the same: no other may be read into it. */
static int read_checkpoint(struct replay *replay, struct archive *archive)
{
    replay->begun = true;
    return core_archive(replay->core, archive);
}

static int read_other(struct replay *replay, const struct frame *frame, struct archive *archive)
{
    return replay->other ? replay->other(replay->userdata, frame, archive) : 0;
}

/* Inputs before a checkpoint, and a second checkpoint, are skipped. */
int replay_frame(struct replay *replay, const struct frame *frame)
{
    bool checkpoint = frame->kind == FRAME_CHECKPOINT, input = frame->kind == FRAME_INPUT;
    struct borrower borrower = {.memory = replay->memory};
    struct archive archive = borrow_frame(frame, &borrower);

    INVARIANT(replay->core);
    if (checkpoint ? replay->begun : input && !replay->begun)
        return 0;
    int r = checkpoint ? read_checkpoint(replay, &archive)
            : input    ? read_input(replay, &archive)
                       : read_other(replay, frame, &archive);
    borrow_end(&borrower);
    return r == 0 && replay->exact && archive.used != frame->size ? -EBADMSG : r;
}
