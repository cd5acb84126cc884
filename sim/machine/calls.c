/*
 * System calls of the guests: a table from numbers to functions. Each call is
 * made in one piece, at one moment of the model's time; a call that has to wait
 * is made again when anything has changed.
 *
 * A call that the model does not know ends the run with its number: nothing is
 * answered by guessing.
 */
#include "machine/calls.h"

#include "machine/call_lists.h"
#include "machine/runner.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#define NUMBERS 512

struct entry {
    const char *name;
    call_function *make;
};

static const struct entry table[NUMBERS] = {
#define CALL(word)              [SYS_##word] = {#word, call_##word},
#define CALL_AS(word, function) [SYS_##word] = {#word, call_##function},
#include "machine/calls.def"
#undef CALL
#undef CALL_AS
};

static const struct entry cloned = {"(cloned)", call_cloned}, mapped = {"(mapped)", call_mapped},
                          left = {"(left)", call_left};

static const struct entry *entry_of(int64_t number)
{
    if (number == WIRE_CALL_CLONED)
        return &cloned;
    if (number == WIRE_CALL_MAPPED)
        return &mapped;
    if (number == WIRE_CALL_LEFT)
        return &left;
    return number >= 0 && number < NUMBERS && table[number].make ? &table[number] : NULL;
}

const char *calls_name(int64_t number)
{
    const struct entry *entry = entry_of(number);
    return entry ? entry->name : NULL;
}

/* ---- what was done --------------------------------------------------------------------------- */

static void mix(struct machine *machine, uint64_t value)
{
    machine->hash = (machine->hash ^ value) * UINT64_C(0x100000001b3);
    machine->hash ^= machine->hash >> 29;
}

/* Numbers as they are, addresses as what stands there where it is a path. */
static void tell_argument(struct runner *runner, uint64_t value, bool is_path)
{
    FILE *told = runner->machine->told;
    char path[4096];

    if (is_path && !runner->gone && calls_path(runner, value, path) == 0)
        fprintf(told, " \"%s\"", path);
    else if (value < UINT64_C(1) << 31 || (int32_t)value == (int64_t)value)
        fprintf(told, " %d", (int)value);
    else
        fputs(" @", told);
}

/* For the log: whether an argument is a path that can be shown. */
static bool takes_path(const char *name, int argument)
{
    static const char *const first[] = {"access", "chdir", "lstat",    "mkdir", "open",
                                        "rename", "rmdir", "readlink", "stat",  "unlink"};
    static const char *const second[] = {"fchmodat",   "mkdirat",  "newfstatat", "openat",
                                         "readlinkat", "renameat", "renameat2",  "unlinkat"};

    for (size_t i = 0; argument == 0 && i < sizeof(first) / sizeof(*first); i++)
        if (strcmp(first[i], name) == 0)
            return true;
    for (size_t i = 0; argument == 1 && i < sizeof(second) / sizeof(*second); i++)
        if (strcmp(second[i], name) == 0)
            return true;
    return false;
}

static void tell(struct runner *runner, const struct entry *entry, pid_t thread, int64_t result)
{
    const struct machine *machine = runner->machine;

    fprintf(machine->told, "%llu.%06llu %d %s",
            (unsigned long long)(machine->now_nsec / 1000000000),
            (unsigned long long)(machine->now_nsec % 1000000000 / 1000), thread, entry->name);
    for (int i = 0; i < 4; i++)
        tell_argument(runner, runner->call.arguments[i], takes_path(entry->name, i));
    fprintf(machine->told, " = %lld\n", (long long)result);
}

/* Addresses are not part of it: they differ where the loader draws them. */
static void note(struct runner *runner, const struct entry *entry, pid_t thread, int64_t result)
{
    struct machine *machine = runner->machine;
    bool address = entry == &mapped || entry == &left;

    machine->calls++;
    mix(machine, (uint64_t)runner->call.number << 32 | (uint32_t)thread);
    mix(machine, address ? 0 : (uint64_t)result);
    mix(machine, machine->now_nsec);
    if (machine->told)
        tell(runner, entry, thread, address || result == MACHINE_CALL_GONE ? 0 : result);
}

/* Notes the call and its result, and lets the guest continue. */
static void finish(struct runner *runner, const struct entry *entry, pid_t thread, int64_t result)
{
    struct machine *machine = runner->machine;

    note(runner, entry, thread, result);
    machine->changes++;
    if (result == MACHINE_CALL_GONE || runner->gone)
        return;
    runner->result = result;
    runner->state = RUNNER_READY;
    if (machine->hooks.after)
        machine->hooks.after(machine->hooks.userdata, runner, entry->name, result);
}

/* By a device that takes its time. */
static bool is_held(struct runner *runner, const char *name)
{
    const struct machine *machine = runner->machine;
    struct call *call = &runner->call;

    if (!call->was_held && machine->hooks.delay) {
        call->was_held = true;
        call->held_nsec =
            machine->now_nsec + machine->hooks.delay(machine->hooks.userdata, runner, name);
    }
    bool held = call->held_nsec > machine->now_nsec;
    if (held || call->deadline == call->held_nsec)
        call->deadline = held ? call->held_nsec : MACHINE_NEVER;
    if (held)
        runner->state = RUNNER_WAITS;
    return held;
}

/* Hooks may answer a call with a fault before it is made. */
void calls_make(struct runner *runner)
{
    struct machine *machine = runner->machine;
    const struct entry *entry = entry_of(runner->call.number);
    pid_t thread = runner->thread->id;
    int64_t result = 0;

    if (!entry) {
        machine_fail(machine, "the model has no system call %lld (of %s)",
                     (long long)runner->call.number, runner->thread->name);
        return;
    }
    if (is_held(runner, entry->name))
        return;
    if (!runner->call.tried && machine->hooks.before)
        result = machine->hooks.before(machine->hooks.userdata, runner, entry->name);
    if (runner->gone)
        return;
    if (result == 0)
        result = entry->make(runner, runner->call.arguments);
    if (result == MACHINE_CALL_WAITS && !runner->gone) {
        runner->call.tried = true;
        runner->state = RUNNER_WAITS;
        return;
    }
    finish(runner, entry, thread, result);
}
