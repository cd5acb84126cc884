/*
 * Runs a program on a kernel that seems to be Linux 6.1: a pidfd does not stand for a process
 * group, no pidfd comes with a datagram, and descriptors cannot be refused as they are sent.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PASSPIDFD  76
#define PASSRIGHTS 83

#define LOAD(field)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, n)
#define FAIL_WITH(error)  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

int main(int argc, char **argv)
{
    struct sock_filter filter[] = {
        LOAD(nr),
        SKIP_UNLESS(SYS_pidfd_send_signal, 4),
        LOAD(args[3]), /* the flags */
        SKIP_UNLESS(0, 1),
        ALLOW,
        FAIL_WITH(EINVAL),
        SKIP_UNLESS(SYS_setsockopt, 5),
        LOAD(args[2]), /* the option */
        SKIP_UNLESS(PASSPIDFD, 1),
        FAIL_WITH(ENOPROTOOPT),
        SKIP_UNLESS(PASSRIGHTS, 1),
        FAIL_WITH(ENOPROTOOPT),
        ALLOW,
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

    if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        perror("linux-6-1");
        return 1;
    }
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 1;
}
