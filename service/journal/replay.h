/*
 * Replay: a journal's frames become a core again, one after the other: first a checkpoint, then the
 * inputs that came behind it. proctord does so when it is started, the simulator with a disk of its
 * own, and proctor-sim with the journal of a real proctord; what else they want of each frame they
 * get on the way.
 */
#pragma once

#include "core/model/input_archive.h"
#include "journal/borrow.h"

struct replay {
    struct core *core;
    const struct frame_memory *memory; /* for what is read; NULL: the C library's */
    bool exact;                        /* what is left over in a frame is damage, too */
    bool begun;                        /* the checkpoint has been read */
    uint64_t inputs;                   /* that were handled */
    void *userdata;
    /* Each may be NULL. An input is about to be handled; another frame than those of the core is
     * there, to be read from its archive. A negative errno ends the replay. */
    void (*input)(void *userdata, const struct core_input *input);
    int (*other)(void *userdata, const struct frame *frame, struct archive *archive);
};

/* Returns 0; -EBADMSG for what cannot be read; or a negative errno. Inputs before the checkpoint,
 * and further checkpoints, are passed over. */
int replay_frame(struct replay *replay, const struct frame *frame);
