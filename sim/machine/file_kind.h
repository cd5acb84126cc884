/*
 * File kind: a description of an open file (kernel/open_file.h): of a regular file, a folder, a
 * view, or a device. A FIFO's is one of a pipe (pipe.h).
 */
#pragma once

#include "kernel/open_file.h"
#include "machine/description.h"

/* Takes the reference. NULL: there is no memory, and it is released. */
struct description *file_kind_new(struct open_file *file);
struct open_file *file_kind_of(const struct description *description); /* NULL: another kind */
