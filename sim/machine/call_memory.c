/*
 * Reading and writing the memory of a guest on behalf of its system calls. A
 * bad address is -EFAULT, and never an error of the simulator.
 */
#include "machine/call_memory.h"

#include <errno.h>
#include <fcntl.h>

int calls_read(const struct runner *runner, uint64_t address, void *bytes, size_t size)
{
    return guest_read(runner->process, address, bytes, size);
}

int calls_write(const struct runner *runner, uint64_t address, const void *bytes, size_t size)
{
    return guest_write(runner->process, address, bytes, size);
}

int calls_path(const struct runner *runner, uint64_t address, char path[4096])
{
    int n = guest_read_string(runner->process, address, path, 4096);
    return n < 0 ? n : 0;
}

int calls_gather(const struct runner *runner, const struct iovec *parts, size_t count, char *bytes,
                 size_t size)
{
    for (size_t i = 0, at = 0; i < count && at < size; i++) {
        size_t part = parts[i].iov_len < size - at ? parts[i].iov_len : size - at;
        if (calls_read(runner, (uint64_t)(uintptr_t)parts[i].iov_base, bytes + at, part) < 0)
            return -EFAULT;
        at += part;
    }
    return 0;
}

int calls_scatter(const struct runner *runner, const struct iovec *parts, size_t count,
                  const char *bytes, size_t size)
{
    for (size_t i = 0, at = 0; i < count && at < size; i++) {
        size_t part = parts[i].iov_len < size - at ? parts[i].iov_len : size - at;
        if (calls_write(runner, (uint64_t)(uintptr_t)parts[i].iov_base, bytes + at, part) < 0)
            return -EFAULT;
        at += part;
    }
    return 0;
}

int64_t calls_would_wait(const struct description *description, int64_t result)
{
    return result == -EAGAIN && !(description->flags & O_NONBLOCK) ? MACHINE_CALL_WAITS : result;
}

bool calls_is_late(struct runner *runner, uint64_t deadline_nsec)
{
    if (!runner->call.tried)
        runner->call.deadline = deadline_nsec;
    return runner->call.deadline <= runner->machine->now_nsec;
}
