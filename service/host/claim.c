/*
 * What a process says about itself in its environment: which child and which
 * attempt it belongs to. Anyone can write that, so a claim is only used without
 * cgroups, together with what the kernel says (parent, session, user), and
 * never for a process of another user.
 */
#include "host/claim.h"

#include "core/vocabulary/invariant.h"
#include "system/again.h"
#include "system/handle.h"
#include "system/number.h"
#include "system/proc_stat.h"
#include "host/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRONMENT_LIMIT (128 * 1024)
#define THREADS_MAX       16       /* looked at for what their process was started with */
#define ASKED             4        /* times: an exec takes less than the time for all of them */
#define IS_EXITING        0x4      /* PF_EXITING and */
#define IS_KERNELS        0x200000 /* PF_KTHREAD, of PROC_STAT_FLAGS */

/* ---- what it was started with ---------------------------------------------------------------- */

static const char *variable(const char *block, size_t size, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = block; at < block + size; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

/* /proc/PID/environ can be read in parts, and a read may fail while the process
 * is executing a program. */
static ssize_t read_all(int fd, char *block, size_t size)
{
    size_t used = 0;

    for (int tries = 0; used < size;) {
        ssize_t n = read(fd, block + used, size - used);
        if (n == 0)
            break;
        if (n > 0)
            used += (size_t)n;
        else if (!again_may_help(-errno) || ++tries == 4)
            return -errno;
    }
    return (ssize_t)used;
}

static ssize_t read_environ(const char *path, char *block)
{
    int fd = again_open(AT_FDCWD, path, O_RDONLY);
    if (fd < 0)
        return fd;
    ssize_t n = read_all(fd, block, ENVIRONMENT_LIMIT);
    close(fd);
    return n;
}

/* If the main thread has ended, the others still show it. */
static ssize_t read_environ_of_thread(pid_t pid, char *block)
{
    char path[128];
    int error = 0;
    ssize_t n = 0;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *folder = again_folder(AT_FDCWD, path, &error);
    for (int i = 0; folder && n <= 0 && i < THREADS_MAX; i++) {
        const struct dirent *entry = again_next(folder, &error);
        if (!entry)
            break;
        snprintf(path, sizeof(path), "/proc/%d/task/%.16s/environ", (int)pid, entry->d_name);
        n = entry->d_name[0] == '.' ? 0 : read_environ(path, block);
    }
    if (folder)
        closedir(folder);
    return n > 0 ? n : 0;
}

/* The caller frees the block. Returns 0; -ENODATA if it is empty, -ESRCH if the process is gone, or
 * is none that we may look at; another error where it could not be read just now. */
static int read_environment(pid_t pid, char **block, size_t *size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    *block = malloc(ENVIRONMENT_LIMIT + 1);
    ssize_t n = *block ? read_environ(path, *block) : -ENOMEM;
    if (n == 0)
        n = read_environ_of_thread(pid, *block);
    if (n <= 0) {
        free(*block);
        *block = NULL;
        return n == 0 ? -ENODATA : again_may_help((int)n) ? (int)n : -ESRCH;
    }
    (*block)[n] = '\0';
    *size = (size_t)n;
    return 0;
}

/* ---- what it says ---------------------------------------------------------------------------- */

/* The child has to exist; generation and attempt are compared by the caller. */
static bool names(const struct host *host, const char *block, size_t size, struct claim *claim)
{
    const char *name = variable(block, size, "PROCTOR_CHILD");
    const char *generation = variable(block, size, "PROCTOR_GENERATION");
    const char *attempt = variable(block, size, "PROCTOR_ATTEMPT");
    const char *number = variable(block, size, "PROCTOR_CHECK");
    const struct child *child = name && generation && attempt ? core_find(host->core, name) : NULL;

    if (!child || number_read(generation, UINT64_MAX, &claim->id.generation) < 0 ||
        number_read(attempt, UINT64_MAX, &claim->id.attempt) < 0)
        return false;
    claim->id.slot = child->slot;
    claim->id.serial = child->serial;
    if (!number || number_read(number, UINT32_MAX, &claim->check) < 0)
        claim->check = 0;
    return true;
}

/* The path of the notify socket tells this proctord's children from those of
 * another one. */
static enum claim_kind interpret(const struct host *host, const char *block, size_t size,
                                 enum claim_trust trust, struct claim *claim)
{
    const char *notify = variable(block, size, "NOTIFY_SOCKET");
    bool given = notify && strcmp(notify, host->notify_path) == 0;

    if (notify ? !given : trust == CLAIM_STRICT) /* another proctord's, perhaps */
        return CLAIM_NONE;
    if (names(host, block, size, claim))
        return CLAIM_NAMED;
    return given && variable(block, size, "PROCTOR_ATTEMPT") ? CLAIM_GIVEN : CLAIM_NONE;
}

/* Returns a claim_kind but CLAIM_UNTOLD, or an error of read_environment(). */
static int read_claim(const struct host *host, pid_t pid, enum claim_trust trust,
                      struct claim *claim)
{
    size_t size = 0;
    char *block;
    int r = read_environment(pid, &block, &size);

    if (r < 0)
        return r;
    r = (int)interpret(host, block, size, trust, claim);
    free(block);
    return r;
}

/* For messages on the notify socket: a first guess, which the caller proves. */
int claim_hint(const struct host *host, pid_t pid, enum claim_trust trust, struct attempt_id *id)
{
    struct claim claim;
    int r = read_claim(host, pid, trust, &claim);

    INVARIANT(id);
    if (r < 0)
        return r == -ENODATA ? -ENOENT : r;
    if (r != CLAIM_NAMED)
        return -ENOENT;
    *id = claim.id;
    return 0;
}

/* ---- whether that is its last word ----------------------------------------------------------- */

/* Nothing could be read: whether there is nothing. An environment that is there by now was not a
 * moment ago. Kernel threads never have one. */
static bool has_none(pid_t pid, int error)
{
    static const enum proc_stat_field fields[] = {PROC_STAT_FLAGS, PROC_STAT_ENVIRONMENT_BEGIN,
                                                  PROC_STAT_ENVIRONMENT_END};
    uint64_t values[3];

    if (proc_stat_read_fields(pid, fields, 3, values) < 0 || (values[0] & IS_KERNELS) != 0)
        return true;
    if ((values[0] & IS_EXITING) != 0)
        return false;
    return error != -ENODATA || (values[2] > 0 && values[1] == values[2]);
}

/* Asked again for a moment: between fork and exec the environment may still be
 * the parent's, or be missing. */
enum claim_kind claim_ask(const struct host *host, pid_t pid, int pidfd, enum claim_trust trust,
                          struct claim *claim)
{
    for (int i = 0; i < ASKED; i++) {
        int r = read_claim(host, pid, trust, claim);
        if (r >= 0)
            return (enum claim_kind)r;
        if (!again_may_help(r) && has_none(pid, r))
            return CLAIM_NONE;
        if (handle_has_ended(pidfd))
            break;
    }
    return CLAIM_UNTOLD;
}
