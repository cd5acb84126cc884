/*
 * Sandbox of an attempt: what bubblewrap is told, and the filter of system calls that libseccomp
 * makes.
 *
 * bubblewrap always forks, and what it runs is its child: the main process of a child would be
 * another one than the program. So it is run beside the start (birth_sandbox.h), to make the
 * namespaces, with a program that only waits; the start enters them, and executes its program
 * itself. Its PID, its signals, its exit and its sockets are those of any other child.
 *
 * What bubblewrap is told depends on what is there, which is looked at in the birth, where a mount
 * that does not respond delays nothing else. So here it is a list of words with conditions:
 *
 *     =WORD    an argument
 *     oPATH    what follows, up to the next ".", is left out if there is no such path,
 *     dPATH    or if it is no directory,
 *     fPATH    or if it is one;
 *     mPATH    if there is none, the start fails
 *     %        the path, without the links on the way to it
 *     ^        --dir and each folder on that way: bubblewrap would close those that it makes
 *     .
 */
#pragma once

#include "core/model/process_spec.h"

#include <linux/filter.h>
#include <stddef.h>

#define SANDBOX_WORD    '='
#define SANDBOX_IF_ANY  'o'
#define SANDBOX_IF_DIR  'd'
#define SANDBOX_IF_FILE 'f'
#define SANDBOX_MUST    'm'
#define SANDBOX_END     "."
#define SANDBOX_REAL    "%"
#define SANDBOX_WAY     "^"

/* What else the child has to reach in there. */
struct sandbox_places {
    char *const *bases; /* of its directories, DIRECTORY_KINDS of them; NULL: it has none */
    const char *notify; /* the notify socket */
};

/* The path of bubblewrap, and the words for it; NULL without memory. To be freed as one piece by
 * sandbox_words_free(). */
char **sandbox_words(const struct process_spec *spec, const struct sandbox_places *places);
void sandbox_words_free(char **words);

/* The filter for SYSCALLS_SERVICE, which lives as long as the program. Returns the number of its
 * instructions or a negative errno: -EOPNOTSUPP if proctord was built without libseccomp. */
int sandbox_filter(const struct sock_filter **filter);

/* Whether it was built with it. */
bool sandbox_can_filter(void);
