/*
 * Coverage: which states of a child, exits, decisions and results a run has been through, and what
 * has been drawn in it, so that a campaign can tell what it has never seen.
 */
#pragma once

#include "world/world.h"

/* What is drawn, in the third word of the marks: each tenth of the range of each jitter, then: */
enum coverage_draw {
    DRAW_JITTER = 0,            /* thirty of them: equal, full, decorrelated */
    DRAW_VERB = 30,             /* each verb on one child, */
    DRAW_SCOPE = DRAW_VERB + 7, /* and each that a scope knows */
    DRAW_KILL_WHOLE = DRAW_SCOPE + 5,
    DRAW_KILL_RELOAD, /* the signal that Reload sends */
    DRAW_DRY_RUN,
    DRAW_BLANK_REASON,
    DRAW_LONG_REASON,
    DRAW_NO_SUCH_CHILD,
    DRAW_NO_SUCH_SCOPE,
    DRAW_REFUSED_ID,
    DRAW_REFUSED_DEPENDENCY,
    DRAW_REFUSED_CYCLE,
    DRAW_REFUSED_GROUP,
    DRAW_REFUSED_PRIMARY,
    DRAW_REFUSED_REDECLARATION,
    DRAW_TWO_REDECLARED,
    DRAW_DRY_ADD,
    COVERAGE_DRAWS,
};

const char *coverage_draw_to_string(int draw);
/* Notes that the swarm has drawn this. */
void coverage_drew(struct world *world, int draw);
/* Notes the state of the child and of its core. */
void coverage_mark(struct world *world, const struct child *child);
