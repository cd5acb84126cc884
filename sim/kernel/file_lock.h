/*
 * File lock: flock(2). A lock belongs to an open file, and to all descriptors that were made of it.
 */
#pragma once

#include "kernel/open_file.h"

void file_lock_drop(struct open_file *file);
