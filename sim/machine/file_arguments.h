/*
 * File arguments: what the numbers and addresses that a call is given lead to.
 */
#pragma once

#include "machine/runner.h"

struct inode;
struct open_file;

/* The path at an address, and the folder it begins at; *at is NULL for the working folder, and for
 * a path that begins at the root. */
int path_argument(const struct runner *runner, uint64_t number, uint64_t address, struct inode **at,
                  char path[4096]);

/* The file that a descriptor is of; NULL, with its error: there is none, or it is of another kind.
 */
struct open_file *file_argument(const struct runner *runner, uint64_t number, int *error);
