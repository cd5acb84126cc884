/*
 * Time calls: clocks, sleeping, futexes, and randomness.
 */
#include "machine/call_lists.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <time.h>

#define NSEC_SEC INT64_C(1000000000)

static int64_t clock_of(const struct machine *machine, uint64_t clock)
{
    bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    return (int64_t)machine->now_nsec + (wall ? machine->wall_nsec : 0);
}

int64_t call_clock_gettime(struct runner *runner, const uint64_t *a)
{
    int64_t now = clock_of(runner->machine, a[0]);
    struct timespec told = {now / NSEC_SEC, now % NSEC_SEC};
    return calls_write(runner, a[1], &told, sizeof(told));
}

static int take_time(const struct runner *runner, uint64_t address, int64_t *nsec)
{
    struct timespec time;

    if (calls_read(runner, address, &time, sizeof(time)) < 0)
        return -EFAULT;
    *nsec = time.tv_sec * NSEC_SEC + time.tv_nsec;
    return time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= NSEC_SEC ? -EINVAL : 0;
}

/* A moment of a clock, as one since boot. */
static uint64_t moment_of(const struct machine *machine, bool wall, int64_t nsec)
{
    int64_t moment = wall ? nsec - machine->wall_nsec : nsec;
    return moment < 0 ? 0 : (uint64_t)moment;
}

static int64_t sleep_until(struct runner *runner, uint64_t deadline)
{
    return calls_is_late(runner, deadline) ? 0 : MACHINE_CALL_WAITS;
}

int64_t call_nanosleep(struct runner *runner, const uint64_t *a)
{
    int64_t nsec = 0;
    int r = take_time(runner, a[0], &nsec);
    return r < 0 ? r : sleep_until(runner, runner->machine->now_nsec + (uint64_t)nsec);
}

int64_t call_clock_nanosleep(struct runner *runner, const uint64_t *a)
{
    int64_t nsec = 0;
    int r = take_time(runner, a[2], &nsec);

    if (r < 0)
        return r;
    return sleep_until(runner, a[1] & TIMER_ABSTIME
                                   ? moment_of(runner->machine, a[0] == CLOCK_REALTIME, nsec)
                                   : runner->machine->now_nsec + (uint64_t)nsec);
}

/* ---- futexes --------------------------------------------------------------------------------- */

/* Wakes as many waiters as asked for, in the order in which they were made. */
static int64_t wake(struct runner *runner, const uint64_t *a)
{
    struct machine *machine = runner->machine;
    uint64_t memory = program_of(runner->task)->memory;
    int64_t n = 0;

    for (struct runner *other = machine->runners; other && n < (int)a[2]; other = other->next)
        if (!other->gone && other->futex == a[0] && !other->woken &&
            program_of(other->task)->memory == memory) {
            other->woken = true;
            n++;
        }
    return n;
}

/* Some operations take a duration, others a time. */
static int take_deadline(const struct runner *runner, const uint64_t *a, uint64_t *deadline)
{
    int64_t nsec = 0;

    *deadline = MACHINE_NEVER;
    if (a[3] == 0)
        return 0;
    int r = take_time(runner, a[3], &nsec);
    if ((a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT)
        *deadline = runner->machine->now_nsec + (uint64_t)nsec;
    else
        *deadline = moment_of(runner->machine, a[1] & FUTEX_CLOCK_REALTIME, nsec);
    return r;
}

/* The value is compared only at the first try: afterwards only a wake or the
 * deadline counts. */
static int64_t sleep_on(struct runner *runner, const uint64_t *a)
{
    uint32_t value;
    uint64_t deadline = MACHINE_NEVER;
    int r = 0;

    if (!runner->call.tried) {
        if (calls_read(runner, a[0], &value, sizeof(value)) < 0)
            return -EFAULT;
        if (value != (uint32_t)a[2])
            return -EAGAIN;
        r = take_deadline(runner, a, &deadline);
        runner->futex = a[0];
        runner->woken = false;
    }
    bool late = calls_is_late(runner, deadline);
    if (r == 0 && !runner->woken && !late)
        return MACHINE_CALL_WAITS;
    runner->futex = 0;
    return r < 0 ? r : runner->woken ? 0 : -ETIMEDOUT;
}

/* Waiting and waking; nothing else is used. */
int64_t call_futex(struct runner *runner, const uint64_t *a)
{
    switch (a[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return sleep_on(runner, a);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        return wake(runner, a);
    default:
        return -ENOSYS;
    }
}

/* ---- randomness ------------------------------------------------------------------------------ */

/* Numbers from the seed, so that a run can be repeated. */
int64_t call_getrandom(struct runner *runner, const uint64_t *a)
{
    uint64_t *state = &runner->machine->random;
    size_t size = a[1] < 4096 ? a[1] : 4096;
    unsigned char bytes[4096];

    for (size_t i = 0; i < size; i++) { /* splitmix64 */
        uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        bytes[i] = (unsigned char)(z >> 56);
    }
    return calls_write(runner, a[0], bytes, size) < 0 ? -EFAULT : (int64_t)size;
}

int64_t call_uname(struct runner *runner, const uint64_t *a)
{
    static const char names[6][65] = {"Linux", "machine", "6.1.0", "#1", "x86_64", ""};
    return calls_write(runner, a[0], names, sizeof(names));
}
