/*
 * Plan: all that one start needs, in one piece of memory, as proctord sends it to its spawner.
 *
 * A plan is flat: what would be a pointer is an offset into the plan itself, so that it can be
 * sent. The spawner checks each of them before it makes them pointers (plan_open()), and then
 * nothing has to be allocated, looked up or converted any more: the child side, which may make
 * system calls only, finds ids as numbers and strings as the kernel wants them. Descriptors travel
 * beside the plan, in the order of enum plan_descriptor.
 *
 * A plan is bounded by PLAN_MAX, which is more than the kernel takes for arguments and environment.
 * Where it is larger than PLAN_INLINE it is sent as a memory file.
 */
#pragma once

#include "system/account.h"
#include "core/model/process_spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC  0x6e616c70u
#define PLAN_MAX    ((size_t)8 << 20)
#define PLAN_INLINE ((size_t)32 << 10)

/* What is sent along. Sockets and a job's result come last, and become descriptors 3 and up. */
enum plan_descriptor {
    PLAN_STATUS, /* the child's end of the launch's socket */
    PLAN_INPUT,
    PLAN_OUTPUT,
    PLAN_CGROUP, /* absent where PLAN_IN_CGROUP is not set */
    PLAN_FIXED,
};
#define PLAN_DESCRIPTORS_MAX                                                                       \
    (PLAN_FIXED + CHILD_DESCRIPTORS_MAX + 1 + 1) /* a result, and a memory file */

enum plan_flag {
    PLAN_IN_CGROUP = 1 << 0,
    PLAN_SET_USER = 1 << 1,
    PLAN_SET_GROUP = 1 << 2,
    PLAN_SET_GROUPS = 1 << 3,
    PLAN_SET_CAPABILITIES = 1 << 4,
    PLAN_NO_NEW_PRIVILEGES = 1 << 5,
    PLAN_SET_NICE = 1 << 6,
    PLAN_IGNORE_SIGPIPE = 1 << 7,
    PLAN_SET_OOM_SCORE = 1 << 8,
    PLAN_FILE_OPTIONAL = 1 << 9, /* the environment file */
    PLAN_SET_AFFINITY = 1 << 10,
};

/* Where a start is, or has failed. Their names are those of the manifest's keys, and their numbers
 * stand in the table of starts. */
enum plan_step {
    STEP_SPAWNER = 0, /* it has not come to the child */
    STEP_FORK = 1,
    STEP_CGROUP = 2,
    STEP_LIMITS = 3,
    STEP_NICE = 4,
    STEP_OOM_SCORE = 5,
    STEP_STDOUT = 6,
    STEP_SOCKETS = 7,
    STEP_ENVIRONMENT = 8,
    STEP_CAPABILITIES = 9,
    STEP_GROUPS = 10,
    STEP_GROUP = 11,
    STEP_USER = 12,
    STEP_IDENTITY = 13, /* it does not run as it should */
    STEP_NO_NEW_PRIVILEGES = 14,
    STEP_WORKING_DIRECTORY = 15,
    STEP_EXEC = 16,
    STEP_RUNTIME_DIRECTORY = 17, /* these in the order of enum directory_kind */
    STEP_STATE_DIRECTORY = 18,
    STEP_LOGS_DIRECTORY = 19,
    STEP_CACHE_DIRECTORY = 20,
    STEP_AFFINITY = 21,
    STEP_SANDBOX = 22,
    STEP_SYSCALLS = 23,
    PLAN_STEPS
};

_Static_assert(PLAN_STEPS == 24, "starts_record.step: a step is appended, never inserted");

const char *plan_step_to_string(enum plan_step step);

struct plan_limit {
    uint32_t set, resource;
    uint64_t soft, hard;
};

/* Of a string that may be missing: 0. Of the rest: the offset of the first one. plan_open() makes
 * pointers of all of them. */
struct plan_directory;
struct sock_filter;

union plan_place {
    uint64_t offset;
    char *text;
    char **list; /* NULL-terminated */
    uint32_t *numbers;
    struct plan_directory *directories;
    struct sock_filter *filter;
};

/* A directory that is made before the child's identity changes: `name` below `base`. */
struct plan_directory {
    union plan_place base, name;
    uint32_t kind;   /* enum directory_kind */
    uint32_t number; /* among those of its kind, from 0 */
    uint32_t mode;
    uint32_t unused;
};

struct plan {
    uint32_t magic, size;
    uint32_t flags; /* enum plan_flag */
    uint32_t n_sockets;
    uint32_t n_arguments, n_environment, n_groups;
    uint32_t n_before; /* of the environment: what the environment file may replace */
    uint32_t uid, gid, umask;
    int32_t nice, oom_score;
    uint32_t slot; /* of its record in the table of starts */
    uint64_t gate; /* there; 0: it has no record */
    uint64_t capabilities;
    struct plan_limit limits[PROCESS_LIMITS];
    uint64_t affinity[AFFINITY_WORDS];
    uint64_t n_directories;
    uint32_t n_sandbox; /* words for bubblewrap; 0: there is no sandbox */
    uint32_t n_filter;  /* instructions; 0: all system calls are allowed */
    uint64_t joined;    /* the process whose sandbox is entered instead; 0: none */
    union plan_place sandbox, filter;
    union plan_place arguments, environment, groups;
    union plan_place directories; /* of struct plan_directory */
    union plan_place working_directory, environment_file, output_file;
    union plan_place watchdog_pid, listen_pid; /* into the environment: digits are written there */
};

#define PLAN_DIRECTORIES_MAX ((size_t)DIRECTORY_KINDS * DIRECTORIES_MAX)

/* What a plan is made of. */
struct plan_source {
    const struct process_spec *spec;
    char **arguments;
    char **environment;
    size_t n_before;
    const char *watchdog_pid, *listen_pid; /* point into the environment, or NULL */
    const char *environment_file;          /* NULL: none, or read already */
    const char *output_file;               /* to be opened by the child, or NULL */
    char *const *directory_bases;          /* DIRECTORY_KINDS of them; NULL: none are made */
    char **sandbox;                        /* words, or NULL */
    const struct sock_filter *filter;
    size_t n_filter;
    pid_t joined;
    bool in_cgroup;
    size_t n_sockets;
    bool set_user, set_group, set_groups;
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t n_groups;
    uint32_t slot;
    uint64_t gate;
};

/* The user it is to run as; NULL: as proctord. It has to stay until the plan is made. */
void plan_take_account(struct plan_source *source, const struct account *account);

/* The plan in memory of its own, to be freed by the caller. Returns 0, -ENOMEM or -E2BIG. */
int plan_make(const struct plan_source *source, struct plan **plan);

/* Checks what has come and makes pointers of its offsets. size: of the memory. Returns 0 or
 * -EBADMSG. */
int plan_open(struct plan *plan, size_t size);
