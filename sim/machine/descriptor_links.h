/*
 * Descriptor links: what /proc/PID/fd says of the descriptors of guests.
 */
#pragma once

#include "kernel/proc_files.h"
#include "machine/machine.h"

struct proc_ports descriptor_links_ports(struct machine *machine);
