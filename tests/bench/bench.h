/*
 * What the parts of the benchmark share. A figure is one JSON line, with the floor measured in the
 * same run and the ratio to it; floor 0: there is none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

struct daemon {
    pid_t pid;
    char address[256];
    sd_bus *bus;
};

uint64_t now_nsec(void);
void figure(const char *name, const char *unit, double value, double floor, double goal);
double percentile(double *values, size_t n, double p);
__attribute__((noreturn)) void die(const char *what);
char *path_of(const char *name); /* in the benchmark's folder; valid until the next four calls */

/* The tree of the next start: so many children, each with that exec and those further lines. */
void write_manifest(size_t children, const char *exec, const char *more);
/* option: one more, or NULL. */
void start(struct daemon *d, const char *option);
void stop(struct daemon *d);
/* Until so many processes of that name are children of the daemon. */
void wait_for_children(const struct daemon *d, const char *program, size_t wanted);

/* flood.c */
void flood(void);

/* durability.c */
void acknowledgements(void);
void recovery(void);
void upgrade(void);
