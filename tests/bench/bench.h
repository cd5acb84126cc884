/*
 * What the parts of the benchmark share. A figure is one JSON line, with the floor measured in the
 * same run and the ratio to it; floor 0: there is none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#define NAME    "org.proctor1"
#define MANAGER "org.proctor1.Manager"

struct daemon {
    pid_t pid;
    char address[256];
    sd_bus *bus;
};

uint64_t now_nsec(void);
void figure(const char *name, const char *unit, double value, double floor, double goal);
/* Sorts them. */
double percentile(double *values, size_t n, double p);
__attribute__((noreturn)) void die(const char *what);
char *path_of(const char *name); /* in the benchmark's folder; valid until the next four calls */

/* The tree of the next start: so many children, each with that exec and those further lines. */
void write_manifest(size_t children, const char *exec, const char *more);
/* option: one more, or NULL. */
void start(struct daemon *d, const char *option);
void stop(struct daemon *d);
/* A method without arguments; its reply, or NULL. */
sd_bus_message *call(struct daemon *d, const char *interface, const char *method);
uint64_t kilobytes(pid_t pid, const char *key);
/* The processes of that name that proctord has started: counts them, or ends them. */
size_t for_each_child(pid_t daemon, const char *program, int signal);
/* Until so many processes of that name are children of the daemon. */
void wait_for_children(const struct daemon *d, const char *program, size_t wanted);

/* latency.c */
void death_to_start(const char *program);

/* starts.c */
void thousand_children(uint64_t empty_kb);

/* bus.c: in microseconds; the floor is a service of its own that is killed when it has served. */
pid_t floor_service(const struct daemon *d);
double time_call(struct daemon *d, const char *name, const char *path, const char *interface,
                 const char *method);
double time_pause(struct daemon *d);
void method_calls(void);
void many_objects(size_t children, uint64_t empty_kb);

/* storm.c */
void crash_storm(const char *program);

/* flood.c */
void flood(void);

/* durability.c */
void acknowledgements(void);
void recovery(void);
void upgrade(void);
