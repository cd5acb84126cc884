/*
 * Program: the one that this process was started with, as it is on disk by now. Before it takes the
 * place of the one that runs, it is asked (`proctord ... --version`, with all other options)
 * whether it starts at all, knows these options and reads what it will be given.
 */
#pragma once

#include "core/vocabulary/error.h"

#include <stddef.h>

#define PROGRAM_VERSION_MAX 64

struct program {
    char *path;             /* absolute; symbolic links are followed again each time */
    char *const *arguments; /* main()'s */
};

/* Where it is: at the beginning, before anybody changes the working directory. Returns 0, -ENOMEM
 * or what readlink(2) says. */
int program_remember(struct program *program, char *const arguments[]);
void program_forget(struct program *program);
/* For a thread that may still hang when the original is gone. Returns 0 or -ENOMEM. */
int program_copy(const struct program *program, struct program *copy);

/* version: what it calls itself. Takes as long as the program, but no more than two seconds, and as
 * long as the file system that it is on: not to be called by the loop. Returns 0, or -EINVAL with
 * an error that says what is wrong with it. */
int program_check(const struct program *program, char version[PROGRAM_VERSION_MAX],
                  struct error *error);

/* The second line of --version: what this program reads and writes. */
const char *program_formats(void);
