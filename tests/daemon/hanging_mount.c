/*
 * hanging-mount FOLDER: a file system that does not answer. Mounts one on the folder; a process
 * that looks up a name in it waits, and cannot be killed, until this program ends (by SIGTERM, or
 * with its parent). Prints a line when it is there; exits with 77 where nothing can be mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SKIPPED 77

static int answer(int fuse, uint64_t unique, const void *body, size_t size)
{
    struct fuse_out_header head = {.len = (uint32_t)(sizeof(head) + size), .unique = unique};
    struct iovec parts[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)body, size}};

    return writev(fuse, parts, 2) < 0 ? -errno : 0;
}

static int answer_init(int fuse, const struct fuse_in_header *head)
{
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION,
                                .minor = 31,
                                .max_readahead = 4096,
                                .max_background = 100,
                                .congestion_threshold = 90,
                                .max_write = 4096};
    return answer(fuse, head->unique, &out, sizeof(out));
}

static int answer_attributes(int fuse, const struct fuse_in_header *head)
{
    struct fuse_attr_out out = {.attr_valid = 3600,
                                .attr = {.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2}};
    return answer(fuse, head->unique, &out, sizeof(out));
}

static const char *folder;

/* A process that waits in it is let go when the last descriptor is closed. */
static void end(int signal)
{
    (void)signal;
    umount2(folder, MNT_DETACH);
    _exit(0);
}

static int serve(int fuse)
{
    static char request[1 << 16];

    for (;;) {
        ssize_t n = read(fuse, request, sizeof(request));
        const struct fuse_in_header *head = (const void *)request;
        if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
            continue;
        if (n < (ssize_t)sizeof(*head))
            return 1;
        if (head->opcode == FUSE_INIT) {
            answer_init(fuse, head);
            puts("mounted");
            fflush(stdout);
        } else if (head->opcode == FUSE_GETATTR) {
            answer_attributes(fuse, head);
        }
    }
}

int main(int argc, char **argv)
{
    char options[128];

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGTERM, end);
    folder = argv[1];
    int fuse = argc == 2 ? open("/dev/fuse", O_RDWR | O_CLOEXEC) : -1;
    if (fuse < 0)
        return SKIPPED;
    snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other",
             fuse);
    if (mount("hanging", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
        return SKIPPED;
    return serve(fuse);
}
