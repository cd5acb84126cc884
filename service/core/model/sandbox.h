/*
 * Sandbox: what of the machine a child's processes see and may change. The core carries it; the
 * executor has it carried out by bubblewrap and libseccomp.
 *
 * A sandbox that leaves everything as it is, is none: NULL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive;

#define SANDBOX_PATHS_MAX 64
#define SANDBOX_TEXT_MAX  512

enum sandbox_part {
    SANDBOX_SYSTEM,  /* all but what the others are about */
    SANDBOX_HOME,    /* /home, /root and /run/user */
    SANDBOX_TMP,     /* /tmp and /var/tmp */
    SANDBOX_DEVICES, /* /dev */
    SANDBOX_NETWORK,
    SANDBOX_SYSCALLS,
    SANDBOX_PARTS
};

/* Of each part; 0 leaves it as it is. */
enum sandbox_system {
    SYSTEM_READ_WRITE,
    SYSTEM_USR_READ_ONLY,
    SYSTEM_ETC_READ_ONLY,
    SYSTEM_READ_ONLY
};
enum sandbox_home { HOME_READ_WRITE, HOME_READ_ONLY, HOME_NONE };
enum sandbox_tmp { TMP_SHARED, TMP_PRIVATE };
enum sandbox_devices { DEVICES_ALL, DEVICES_PRIVATE };
enum sandbox_network { NETWORK_HOST, NETWORK_NONE };
enum sandbox_syscalls { SYSCALLS_ALL, SYSCALLS_SERVICE };

/* The first character of a path's text; the path follows, or '-' and the path if it may be
 * missing. */
#define SANDBOX_WRITE 'w'
#define SANDBOX_READ  'r'
#define SANDBOX_HIDE  'n'

struct sandbox_spec {
    uint8_t parts[SANDBOX_PARTS];
    const char **paths; /* NULL-terminated, or NULL: none; a shorter one comes first */
};

/* As in a manifest; NULL behind the last value of the part. */
const char *sandbox_part_name(enum sandbox_part part);
const char *sandbox_value_name(enum sandbox_part part, unsigned value);

/* Whether it restricts anything. */
bool sandbox_is_given(const struct sandbox_spec *sandbox);

/* Whether processes need a world of their own for it, and not only a filter of system calls. */
bool sandbox_has_namespaces(const struct sandbox_spec *sandbox);

/* In words, such as "system=read-only tmp=private /srv=none"; NULL is "". */
void sandbox_describe(const struct sandbox_spec *sandbox, char text[SANDBOX_TEXT_MAX]);

void sandbox_archive(struct archive *a, const struct sandbox_spec **sandbox);
