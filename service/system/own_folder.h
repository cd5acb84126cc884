/*
 * Own folder: a folder that only we can put anything into, or replace.
 *
 * What is in the state and the runtime folder is obeyed: the journal, the locks, the sockets, the
 * bus's configuration. So the folder must be ours and only ours to write to, and each folder above
 * it root's or ours, and writable by no others; a sticky one such as /tmp will do above it. Links
 * on the way are followed where they are root's or ours. The folder itself must not be a link.
 *
 * Once this has been seen to be so it stays so: only root, or we, could change it. What is inside
 * is opened with own_open() nevertheless, which follows no link.
 */
#pragma once

#include <sys/types.h>

/* Room for a sentence that names the folder. */
#define OWN_FOLDER_WHY 512

/* Makes the folder, and those above it, where they are not there yet. path is absolute. Returns 0,
 * -EPERM where it is not to be trusted, or another negative errno; `why` says which folder it is
 * about, and what is wrong with it. */
int own_folder_make(const char *path, mode_t mode, char why[OWN_FOLDER_WHY]);

/* The same for the folder that a socket or file of ours is to be in: need not be ours. */
int own_folder_of(const char *path, char why[OWN_FOLDER_WHY]);

/* A file in a folder of our own: -EMEDIUMTYPE where there is something else, -EPERM where it is not
 * ours alone. Returns a descriptor; O_CLOEXEC is added. */
int own_open(int folder, const char *name, int flags, mode_t mode);
