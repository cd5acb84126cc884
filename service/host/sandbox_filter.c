/*
 * What a service never asks the kernel for: to change the machine as a whole, to look into other
 * processes, and what was replaced long ago. The calls are refused with EPERM, so that a program
 * that tries one of them can continue without. libseccomp knows their numbers; what it does not
 * know does not exist on this architecture.
 */
#include "host/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>

static const char *const refused[] = {
    /* the clock of the machine */
    "adjtimex",
    "clock_adjtime",
    "clock_adjtime64",
    "clock_settime",
    "clock_settime64",
    "settimeofday",
    "stime",
    /* its kernel, and its power */
    "bpf",
    "create_module",
    "delete_module",
    "finit_module",
    "init_module",
    "kexec_file_load",
    "kexec_load",
    "perf_event_open",
    "query_module",
    "reboot",
    "syslog",
    /* its devices and disks */
    "ioperm",
    "iopl",
    "pciconfig_iobase",
    "pciconfig_read",
    "pciconfig_write",
    "quotactl",
    "quotactl_fd",
    "s390_pci_mmio_read",
    "s390_pci_mmio_write",
    "swapoff",
    "swapon",
    /* its mounts */
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "open_by_handle_at",
    "pivot_root",
    "umount",
    "umount2",
    /* its names, accounts and terminals */
    "acct",
    "setdomainname",
    "sethostname",
    "vhangup",
    /* other processes */
    "kcmp",
    "lookup_dcookie",
    "pidfd_getfd",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "userfaultfd",
    /* what was replaced, or is for emulators */
    "_sysctl",
    "modify_ldt",
    "nfsservctl",
    "sysfs",
    "uselib",
    "ustat",
    "vm86",
    "vm86old",
};

static int add_rules(scmp_filter_ctx filter)
{
    /* A program for another architecture would not be bound by these numbers. */
    int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));

    for (size_t i = 0; r == 0 && i < sizeof(refused) / sizeof(*refused); i++) {
        int number = seccomp_syscall_resolve_name(refused[i]);
        if (number >= 0)
            r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
    }
    return r;
}

/* libseccomp writes it to a descriptor. */
static int read_back(int fd, struct sock_filter **filter)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    size_t size = (size_t)status.st_size;
    if (size == 0 || size % sizeof(**filter) != 0)
        return -EIO;
    *filter = malloc(size);
    if (!*filter)
        return -ENOMEM;
    if (pread(fd, *filter, size, 0) == (ssize_t)size)
        return (int)(size / sizeof(**filter));
    free(*filter);
    *filter = NULL;
    return -EIO;
}

static int make(struct sock_filter **filter)
{
    int fd = memfd_create("proctor-filter", MFD_CLOEXEC);
    scmp_filter_ctx context = fd < 0 ? NULL : seccomp_init(SCMP_ACT_ALLOW);
    int r = fd < 0 ? -errno : context ? add_rules(context) : -ENOMEM;

    if (r == 0)
        r = seccomp_export_bpf(context, fd);
    if (r == 0)
        r = read_back(fd, filter);
    if (context)
        seccomp_release(context);
    if (fd >= 0)
        close(fd);
    return r;
}

int sandbox_filter(const struct sock_filter **filter)
{
    static struct sock_filter *made;
    static int length;

    if (!made)
        length = make(&made);
    *filter = made;
    return length;
}

bool sandbox_can_filter(void)
{
    return true;
}
#else
int sandbox_filter(const struct sock_filter **filter)
{
    *filter = NULL;
    return -EOPNOTSUPP;
}

bool sandbox_can_filter(void)
{
    return false;
}
#endif
