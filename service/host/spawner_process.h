/*
 * The spawner's own program: what proctord does where it is called as `proctord --spawner`.
 *
 * It receives plans on descriptor 3, one after the other, and clones a child for each, which is
 * proctord's child and not its own (CLONE_PARENT). It never waits for a child, answers nothing, and
 * remembers nothing but which of its stacks are still in use. It ends with proctord.
 *
 * What every child gets the same, whatever proctord was started with, it sets once for itself, as
 * its children inherit it: see the table in docs/manifest.md.
 */
#pragma once

/* argv: "--spawner" and the soft limit of descriptors. Returns the exit code. */
int spawner_run(int argc, char **argv);

#define SPAWNER_OPTION "--spawner"
#define SPAWNER_NAME   "proctor-spawner" /* as ps shows it: 15 characters at most */

#define SPAWNER_SOCKET 3 /* its descriptors, when it is executed */
#define SPAWNER_STARTS 4
