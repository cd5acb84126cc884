/*
 * What a child executes: plain data that a manifest fills in and an executor reads. The core
 * carries it from the one to the other and never looks inside.
 *
 * Strings and arrays belong to the maker of the spec; NULL or 0 means "not given" unless said
 * otherwise.
 */
#pragma once

#include "core/model/sandbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OOM_SCORE_ADJ_MIN     (-1000)
#define OOM_SCORE_ADJ_MAX     1000
#define PROCESS_LIMITS        16 /* RLIM_NLIMITS of Linux */
#define SOCKETS_MAX           16 /* of one child */
#define FD_STORE_MAX          32 /* descriptors that one child may have kept for it */
#define CHILD_DESCRIPTORS_MAX (SOCKETS_MAX + FD_STORE_MAX)
#define SOCKET_ADDRESS_MAX    128 /* bytes of a struct sockaddr_storage */
#define COMMANDS_MAX          16  /* of one list */
#define DIRECTORIES_MAX       16  /* of each kind */
#define DIRECTORY_MODE        0755
#define AFFINITY_MAX          1024 /* processors that can be named */
#define AFFINITY_WORDS        (AFFINITY_MAX / 64)
#define CPU_PERIOD_USEC       100000 /* cpu_max_usec is of this */

enum output_kind {
    OUTPUT_JOURNAL = 0,
    OUTPUT_INHERIT = 1, /* with its name before each line */
    OUTPUT_NULL = 2,
    OUTPUT_FILE = 3,
    OUTPUT_RAW = 4, /* proctord's own descriptor */
};

struct process_output {
    enum output_kind kind;
    const char *path;        /* OUTPUT_FILE */
    uint64_t max_size_bytes; /* OUTPUT_FILE: rotate before it grows beyond */
    uint32_t keep;           /* OUTPUT_FILE: rotated files that are kept */
};

struct process_limit {
    bool set;
    uint64_t soft; /* UINT64_MAX: infinity */
    uint64_t hard;
};

/* Limits of a whole child (memory_max and its like) that an executor could not set. */
enum unenforced {
    UNENFORCED_MEMORY = 1 << 0,
    UNENFORCED_PIDS = 1 << 1,
    UNENFORCED_CPU_WEIGHT = 1 << 2,
    UNENFORCED_MEMORY_HIGH = 1 << 3,
    UNENFORCED_CPU_MAX = 1 << 4,
    UNENFORCED_IO_WEIGHT = 1 << 5,
};

/* A socket that is opened once, held over all attempts, and passed to each (sd_listen_fds(3)). */
struct socket_spec {
    const char *name;   /* of LISTEN_FDNAMES */
    const char *listen; /* as it was written */
    bool datagram;      /* else a stream */
    uint32_t mode;      /* of a path, 0 to 0777 */
    uint32_t address_size;
    uint8_t address[SOCKET_ADDRESS_MAX]; /* a struct sockaddr; its family comes first */
};

/* How a child is asked whether it is well. */
struct health_spec {
    const char **arguments; /* a command that exits with 0 where it is; NULL: connect to target */
    struct socket_spec target; /* name is NULL */
};

/* A command that is run for a child, beside its program. */
struct command_spec {
    const char **arguments; /* NULL-terminated, arguments[0] an absolute path */
    uint64_t timeout_usec;  /* 0: it has no deadline of its own */
    bool may_fail;          /* what comes after it is run anyway */
};

struct command_list {
    const struct command_spec *commands;
    size_t count;
};

/* Directories that are made for a child before its start; each kind has a place of its own, where
 * the names are. */
enum directory_kind {
    DIRECTORY_RUNTIME,
    DIRECTORY_STATE,
    DIRECTORY_LOGS,
    DIRECTORY_CACHE,
    DIRECTORY_KINDS
};

struct directory_list {
    const char **names; /* NULL-terminated, or NULL: none */
    uint32_t mode;      /* 0700 to 0777 */
};

struct process_spec {
    const char **arguments; /* NULL-terminated, arguments[0] an absolute path; NULL: no process */
    const char *working_directory;
    const char *user;
    const char *group;
    const char **supplementary_groups; /* NULL-terminated */
    const char **environment;          /* NULL-terminated NAME=VALUE */
    const char *environment_file;      /* read at each start; a leading '-': may be missing */
    uint64_t capabilities;             /* bit n: capability n is kept (ambient and bounding) */
    bool capabilities_set;             /* false: capabilities are left as they are */
    bool no_new_privileges;
    uint32_t umask; /* 0 to 0777 */
    bool umask_set;
    int nice;
    bool nice_set;
    int oom_score_adj; /* OOM_SCORE_ADJ_MIN to OOM_SCORE_ADJ_MAX: how readily the kernel kills it */
    bool oom_score_adj_set;
    bool ignore_sigpipe; /* false: a write to a pipe without a reader ends the child */
    const struct process_limit *limits; /* PROCESS_LIMITS of them, by RLIMIT_* number, or NULL */
    uint64_t memory_max;                /* bytes of the whole child; 0: no limit */
    uint64_t pids_max;                  /* processes and threads of it; 0: no limit */
    uint32_t cpu_weight;                /* 1 to 10000, others have 100; 0: as they */
    uint64_t memory_high;               /* bytes beyond which it is slowed down; 0: no limit */
    uint64_t cpu_max_usec;              /* of each CPU_PERIOD_USEC, of all processors; 0: all */
    uint32_t io_weight;                 /* as cpu_weight */
    const struct sandbox_spec *sandbox; /* NULL: none */
    const uint64_t *affinity;     /* AFFINITY_WORDS of them: bit n is processor n; NULL: all */
    struct process_output output; /* of stdout and stderr */
    const struct socket_spec *sockets;
    size_t n_sockets;
    uint32_t fd_store_max;           /* descriptors that are kept for it; 0: none */
    struct command_list before;      /* are run one after the other before its program, */
    struct command_list reload;      /* for a reload, instead of its signal, */
    struct command_list stop;        /* before the first signal of a stop, */
    struct command_list after_start; /* when it has become ready, */
    struct command_list after_stop;  /* and when no process of an attempt is left */
    struct directory_list directories[DIRECTORY_KINDS];
    const struct health_spec *health; /* NULL: nobody asks */
    bool kill_group;   /* cancel goes to all processes of the child, not just the main one */
    int stop_signal;   /* what cancel sends */
    int reload_signal; /* what the Reload verb sends */
};
