/*
 * Durations, sizes, signals and the like, as people write them. All in whole
 * numbers.
 */
#include "manifest/unit.h"

#include "system/number.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#define YEARS_MAX_USEC (UINT64_C(10) * 366 * 24 * 3600 * 1000000)

struct factor {
    const char *unit;
    uint64_t factor;
};

static const struct factor durations[] = {
    {"us", 1},       {"ms", 1000},      {"s", 1000000},    {"sec", 1000000},
    {"m", 60000000}, {"min", 60000000}, {"h", 3600000000}, {"d", 86400000000},
};

static const struct factor sizes[] = {
    {"B", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", UINT64_C(1) << 40},
};

/* The whole word has to be a unit: `5mx` is none. */
static const struct factor *find_factor(const struct factor *factors, size_t count,
                                        const char **text)
{
    size_t length = strspn(*text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    for (size_t i = 0; i < count; i++)
        if (strlen(factors[i].unit) == length && strncmp(factors[i].unit, *text, length) == 0) {
            *text += length;
            return &factors[i];
        }
    return NULL;
}

/* A plain number counts seconds; several parts are added. */
int unit_duration(const char *text, uint64_t *usec)
{
    uint64_t total = 0, number;
    const char *whole = text;

    if (number_take(&whole, &number) == 0 && *whole == '\0') {
        if (number > YEARS_MAX_USEC / 1000000)
            return -EINVAL;
        *usec = number * 1000000;
        return 0;
    }
    do {
        if (number_take(&text, &number) < 0)
            return -EINVAL;
        const struct factor *f =
            find_factor(durations, sizeof(durations) / sizeof(durations[0]), &text);
        if (!f || number > YEARS_MAX_USEC / f->factor)
            return -EINVAL;
        total += number * f->factor;
        if (total > YEARS_MAX_USEC)
            return -EINVAL;
        text += strspn(text, " ");
    } while (*text);
    *usec = total;
    return 0;
}

/* In bytes, with powers of 1024. */
int unit_size(const char *text, uint64_t *bytes)
{
    uint64_t number;

    if (number_take(&text, &number) < 0)
        return -EINVAL;
    if (*text == '\0') {
        *bytes = number;
        return 0;
    }
    const struct factor *f = find_factor(sizes, sizeof(sizes) / sizeof(sizes[0]), &text);
    if (!f || *text != '\0' || number > (UINT64_C(1) << 50) / f->factor)
        return -EINVAL;
    *bytes = number * f->factor;
    return 0;
}

int unit_number(const char *text, uint64_t max, uint64_t *number)
{
    return number_read(text, max, number);
}

/* Digits beyond the third are errors, not rounded. */
int unit_milli(const char *text, uint64_t max_milli, uint64_t *milli)
{
    uint64_t whole, value = 0;
    uint64_t scale = 100;

    if (number_take(&text, &whole) < 0 || whole > max_milli / 1000)
        return -EINVAL;
    if (*text == '.') {
        for (text++; isdigit((unsigned char)*text) && scale > 0; text++, scale /= 10)
            value += (uint64_t)(*text - '0') * scale;
    }
    if (*text != '\0' || whole * 1000 + value > max_milli)
        return -EINVAL;
    *milli = whole * 1000 + value;
    return 0;
}

/* By name, with or without SIG, or by number. */
int unit_signal(const char *text, int *signal)
{
    uint64_t number;

    if (unit_number(text, (uint64_t)SIGRTMAX, &number) == 0 && number > 0) {
        *signal = (int)number;
        return 0;
    }
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < NSIG; i++) {
        const char *name = sigabbrev_np(i);
        if (name && strcasecmp(name, text) == 0) {
            *signal = i;
            return 0;
        }
    }
    return -EINVAL;
}

/* linux/capability.h, in the order of the numbers. */
static const char *const capabilities[] = {
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
};

static const char *const limits[] = {
    [RLIMIT_CPU] = "cpu",           [RLIMIT_FSIZE] = "fsize",
    [RLIMIT_DATA] = "data",         [RLIMIT_STACK] = "stack",
    [RLIMIT_CORE] = "core",         [RLIMIT_RSS] = "rss",
    [RLIMIT_NPROC] = "nproc",       [RLIMIT_NOFILE] = "nofile",
    [RLIMIT_MEMLOCK] = "memlock",   [RLIMIT_AS] = "as",
    [RLIMIT_LOCKS] = "locks",       [RLIMIT_SIGPENDING] = "sigpending",
    [RLIMIT_MSGQUEUE] = "msgqueue", [RLIMIT_NICE] = "nice",
    [RLIMIT_RTPRIO] = "rtprio",     [RLIMIT_RTTIME] = "rttime",
};

static int find_word(const char *const *words, size_t count, const char *text, int *found)
{
    for (size_t i = 0; i < count; i++)
        if (words[i] && strcasecmp(words[i], text) == 0) {
            *found = (int)i;
            return 0;
        }
    return -EINVAL;
}

int unit_capability(const char *text, int *capability)
{
    if (strncasecmp(text, "CAP_", 4) == 0)
        text += 4;
    return find_word(capabilities, sizeof(capabilities) / sizeof(capabilities[0]), text,
                     capability);
}

int unit_limit(const char *text, int *limit)
{
    return find_word(limits, sizeof(limits) / sizeof(limits[0]), text, limit);
}
