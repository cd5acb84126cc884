/*
 * World: a bus that any user may connect to, one or two proctords on it, a mount that never
 * answers, and everything ended by its PID when the test ends, also when it fails.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#define NAME    "org.proctor1"
#define MANAGER "org.proctor1.Manager"

/* Users that each distribution has (a bus takes no user that it cannot look up): an attacker of
 * each kind, and the polite client. */
enum {
    UID_POLITE = 1,
    UID_LINGERING = 2,
    UID_STOPPING = 3,
    UID_SILENT = 8,
    UID_FLOODING = 65534,
};

__attribute__((noreturn)) void die(const char *what);
uint64_t now_nsec(void);

/* Makes the test's folder; clean_up() ends what is left and removes it. */
void world_begin(void);
void world_end(void);

/* A path in the folder; valid until the next eight calls. */
char *path_of(const char *name);
void write_file(const char *name, const char *text);

/* Forks; the process ends with the test, and world_end() waits for it. Returns 0 in the new one. */
pid_t world_fork(void);
void world_kill(pid_t pid);
void become(uid_t uid);

/* A dbus-daemon; returns its address. */
const char *world_bus(void);
/* A socket that accepts connections and never says anything; returns its address. */
const char *world_silent_bus(void);
/* Mounts a file system at fuse/ of which no request is ever answered. False: not possible here. */
bool world_fuse(void);

/* proctord on that bus with the manifests of the folder NAME.d; returns when it has started its
 * children as far as `fifo`, which one of them writes into. */
pid_t world_proctord(const char *proctord, const char *name, const char *address);

sd_bus *world_connect(const char *address);
