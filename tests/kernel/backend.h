/*
 * Backend: a kernel on which the programs run: puppets in it do what they are told.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define PUPPETS 24

struct backend {
    /* The first puppet, 0, is there then. False: it cannot be done here. */
    bool (*begin)(const char *profile);
    /* The number of a new process, or a negative errno. into: a folder of a cgroup, or NULL. */
    int (*fork)(unsigned puppet, unsigned child, bool of_parent, const char *into);
    void (*order)(unsigned puppet, int n_words, char *words[], FILE *out);
    pid_t (*number)(unsigned puppet);
    pid_t (*init)(void);
    const char *(*cgroup)(void); /* a folder for our own; NULL: there is none */
    void (*end)(void);
};

extern const struct backend backend_real, backend_model;

/* Of backend_real: the program is a puppet from the beginning. */
int backend_puppet(unsigned puppet);
