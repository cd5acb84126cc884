/*
 * A preload for user-mode Linux 6.1, whose room for a process's floating-point registers is smaller
 * than what recent processors have (AMX): Linux takes the whole set or none of it. What is read is
 * cut to the room that there is, what is written is filled up. The cut part is what no program of a
 * test uses.
 */
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define ROOM (64 * 1024)

typedef long (*ptrace_call)(int request, pid_t pid, void *address, void *data);

static _Alignas(64) unsigned char wide[ROOM];
static size_t size; /* of the whole set, once it is known */

static long wide_read(ptrace_call call, pid_t pid, void *kind)
{
    struct iovec all = {wide, sizeof(wide)};
    long r = call(PTRACE_GETREGSET, pid, kind, &all);

    if (r == 0)
        size = all.iov_len;
    return r;
}

/* Linux's other registers are none of ours. */
long ptrace(enum __ptrace_request request, ...)
{
    ptrace_call call = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");
    va_list arguments;

    va_start(arguments, request);
    pid_t pid = va_arg(arguments, pid_t);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);
    struct iovec *room = data;
    if (address != (void *)NT_X86_XSTATE || request != PTRACE_SETREGSET ||
        wide_read(call, pid, address) != 0 || size <= room->iov_len)
        return call((int)request, pid, address, data);
    memcpy(wide, room->iov_base, room->iov_len);
    struct iovec all = {wide, size};
    return call((int)request, pid, address, &all);
}
