/*
 * Guest: the real processes behind the simulated ones, as the driver sees them.
 *
 * There is one program, started once, with the seam preloaded (seam/seam.c). Each simulated exec of
 * it is a copy of that process, each thread a real thread with a slot of shared memory. Only one of
 * them all runs, and only within guest_run(): until its next system call.
 */
#pragma once

#include "seam/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct guest;

/* program: the path of the proctord; library: of the seam. Returns 0 or a negative errno. */
int guest_new(const char *program, const char *library, bool random_addresses,
              struct guest **guest);
void guest_free(struct guest *guest); /* and ends all of its processes */

/* A slot for a new thread; -EAGAIN: there are too many. */
int guest_take_slot(struct guest *guest, uint32_t *slot);
/* The slot can be taken again. */
void guest_give_slot(struct guest *guest, uint32_t slot);
struct wire_slot *guest_slot(struct guest *guest, uint32_t slot);

/* A process that begins the program with this slot, once it is run: strings one after the other
 * with a NUL behind each. Returns its PID or a negative errno. */
pid_t guest_begin(struct guest *guest, uint32_t slot, const char *arguments, size_t arguments_size,
                  const char *environment, size_t environment_size);

/* Lets the thread run to its next call, which is in its slot then. -ESRCH: its process has crashed;
 * -ETIME: it makes no call. */
int guest_run(struct guest *guest, uint32_t slot);

/* It makes no call any more, and uses its stack no more. */
int guest_end_thread(struct guest *guest, uint32_t slot);
/* The real process ends at once. */
void guest_kill(struct guest *guest, pid_t process);

/* In nanoseconds: what guests read without a call. */
void guest_set_clock(struct guest *guest, int64_t monotonic, int64_t boot, int64_t real);

/* Memory of files that are mapped shared; zeros. *offset: in the arena. NULL: there is no more. */
void *guest_arena(struct guest *guest, size_t size, uint64_t *offset);
char *guest_arena_begin(struct guest *guest);
/* No mapping is left of the run before. */
void guest_clear_arena(struct guest *guest);

/* Return 0 or -EFAULT. */
int guest_read(pid_t process, uint64_t address, void *bytes, size_t size);
/* 0, or -EFAULT. */
int guest_write(pid_t process, uint64_t address, const void *bytes, size_t size);
/* Returns its length, -EFAULT or -ENAMETOOLONG. */
int guest_read_string(pid_t process, uint64_t address, char *text, size_t size);
