/*
 * Descriptor links: what /proc/PID/fd says of the descriptors of guests.
 */
#pragma once

#include "kernel/proc_files.h"
#include "machine/machine.h"

struct proc_ports descriptor_links_ports(struct machine *machine);

/* The end of a pipe that /proc/PID/fd/N or /proc/self/fd/N is; NULL: the path is no such link. It
 * has no inode that a path could lead to. */
struct description *descriptor_links_pipe(const struct runner *runner, const char *path);
