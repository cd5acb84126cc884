/*
 * Requirement: whether a child that is asked to start again has all that it requires. This is asked
 * before anything is stopped for the sake of the start: by a restart, by a resume that meets the
 * old attempt still going, by a reload, and for each member of a scope, in a dry run as in earnest
 * (semantics.md, Restart). A start without a command, as after a crash, is not judged: it waits
 * (dependency.c).
 *
 * One that comes back counts as there: its own restart is pending, or it is restarted by the same
 * command. Which children come back has to be known before the first member is judged, as a child
 * may stand anywhere in the tree beside the one that it requires.
 */
#pragma once

#include "core/core.h"

/* The id of the first that the child requires, is not ready and does not come back; NULL: none.
 * The newest declaration counts. *removed: there is none of this id any more. */
const char *requirement_lacking(const struct core *core, const struct child *child, bool *removed);

/* Whether a declaration that may not be in force yet requires one that is neither. */
bool requirement_lacks(const struct core *core, const struct child_declaration *declaration);

/* The same as a sentence. Returns false, and leaves the buffer alone, where nothing lacks. */
bool requirement_refuses(const struct core *core, const struct child *child, char *buffer,
                         size_t size);

/* Finds out which children below a supervisor come back by a verb on all of it. */
void requirement_judge_scope(struct core *core, const struct supervisor *supervisor,
                             enum command_verb verb);

/* One child of a set comes back, as far as is known; then those are taken out that cannot. */
void requirement_expect(struct child *child);
void requirement_judge(struct core *core);
void requirement_forget(struct core *core);
