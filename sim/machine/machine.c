/*
 * The machine: processors, time, disks, processes. One guest runs at a time,
 * until its next system call; which one is the schedule's choice. When none can
 * run, time jumps to the next deadline.
 */
#include "machine/machine.h"

#include "kernel/proc_files.h"
#include "kernel/signals.h"
#include "machine/calls.h"
#include "machine/descriptor_links.h"
#include "machine/file_kind.h"
#include "machine/runner.h"
#include "machine/small_kinds.h"
#include "machine/thread_end.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define DESCRIPTORS_SOFT 1024
#define DESCRIPTORS_HARD 4096
#define CGROUPS          "/sys/fs/cgroup"
#define CGROUPS_HYBRID   CGROUPS "/unified"

/* ---- what is done to tasks ------------------------------------------------------------------- */

static uint64_t now(void *userdata)
{
    return ((struct machine *)userdata)->now_nsec;
}

static uint64_t wall_now(void *userdata)
{
    const struct machine *machine = userdata;
    return (uint64_t)(machine->wall_nsec + (int64_t)machine->now_nsec);
}

/* The real processes of a process of the model are killed. */
static void task_ended(void *userdata, struct task *task)
{
    struct machine *machine = userdata;

    for (struct runner *runner = machine->runners; runner; runner = runner->next)
        if (runner->task == task && !runner->gone) {
            calls_clear_tid(runner);
            guest_kill(machine->guest, runner->process);
            machine_drop_runner(runner);
        }
    if (program_of(task) && program_of(task)->maker)
        calls_release_maker(task);
    runner_free_program(task);
    machine->changes++;
    if (machine->hooks.ended)
        machine->hooks.ended(machine->hooks.userdata, task);
}

/* Its call is interrupted by a signal that has a handler, which is not run. */
static bool interrupt(struct runner *runner, int signal)
{
    siginfo_t info;
    struct signal_action action;

    if (runner->state != RUNNER_WAITS || runner->thread->blocked & SIGNAL_BIT(signal))
        return false;
    if (signal_next(runner->thread, &info, &action) > 0) {
        runner->result = -EINTR;
        runner->state = RUNNER_READY;
    }
    return true;
}

/* A signal interrupts the first thread that waits in a call. */
static void task_signalled(void *userdata, struct task *task, int signal)
{
    struct machine *machine = userdata;
    bool runs = false;

    machine->changes++;
    for (struct runner *runner = machine->runners; runner; runner = runner->next)
        if (runner->task == task && !runner->gone) {
            runs = true;
            if (interrupt(runner, signal))
                return;
        }
    if (!runs && machine->hooks.signalled)
        machine->hooks.signalled(machine->hooks.userdata, task);
}

static void signal_sent(void *userdata, const struct task *sender, const struct task *to,
                        int signal)
{
    struct machine *machine = userdata;

    machine->changes++;
    if (machine->hooks.signal_sent)
        machine->hooks.signal_sent(machine->hooks.userdata, sender, to, signal);
}

static void task_moved(void *userdata, struct task *task)
{
    (void)task;
    ((struct machine *)userdata)->changes++;
}

/* ---- making ---------------------------------------------------------------------------------- */

static uint32_t choose(void *userdata, uint32_t n)
{
    return schedule_choose(((struct machine *)userdata)->schedule, n);
}

static int make_folders(struct machine *machine)
{
    static const char *const folders[] = {"/dev", "/etc",     "/proc", "/run", "/sim",
                                          "/sys", "/sys/fs",  "/tmp",  "/usr", "/usr/sbin",
                                          "/var", "/var/lib", CGROUPS};
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(*folders); i++)
        r = path_make_folder(machine->init, NULL, folders[i], 0755);
    return r;
}

/* The few devices that programs expect. */
static int make_devices(struct machine *machine)
{
    static const struct {
        const char *path;
        unsigned major, minor;
    } devices[] = {{"/dev/null", 1, 3},
                   {"/dev/zero", 1, 5},
                   {"/dev/urandom", 1, 9},
                   {"/dev/random", 1, 9},
                   {"/dev/tty", 5, 0}};
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(devices) / sizeof(*devices); i++)
        r = path_make_node(machine->init, NULL, devices[i].path, S_IFCHR | 0666,
                           makedev(devices[i].major, devices[i].minor), NULL);
    return r;
}

static int mount_at(struct machine *machine, struct volume *volume, const char *path)
{
    struct inode *folder = NULL;
    int r = volume ? path_look_up(machine->init, NULL, path, 0, &folder) : -ENOMEM;

    if (r == 0)
        r = volume_mount(volume, folder);
    inode_release(folder);
    return r;
}

static const char *mounts_of(const struct cgroup_profile *profile)
{
    if (profile->none)
        return "";
    return profile->hybrid
               ? "26 25 0:26 / " CGROUPS_HYBRID " rw,nosuid,nodev,noexec - cgroup2 cgroup2 rw\n"
               : "26 25 0:26 / " CGROUPS " rw,nosuid,nodev,noexec - cgroup2 cgroup2 rw\n";
}

/* Disk, /run, /proc and the control groups, each with its device number. */
static int make_volumes(struct machine *machine, const struct machine_settings *settings)
{
    const struct proc_settings proc = {.tasks = machine->tasks,
                                       .cgroups = machine->cgroups,
                                       .ports = descriptor_links_ports(machine),
                                       .boot_id = machine->boot_id,
                                       .mount_info = mounts_of(&settings->cgroups),
                                       .chance = &machine->chance};
    int r = make_folders(machine);

    if (r == 0)
        r = make_devices(machine);
    machine->run = volume_new(VOLUME_MEMORY, &machine->chance, makedev(0, 22));
    machine->memory = volume_new(VOLUME_MEMORY, &machine->chance, makedev(0, 1));
    machine->proc = proc_files_new(&proc, makedev(0, 21));
    if (r == 0)
        r = mount_at(machine, machine->run, "/run");
    if (r == 0)
        r = mount_at(machine, machine->proc, "/proc");
    if (r == 0 && !settings->cgroups.none) {
        machine->cgroup_files =
            cgroup_files_new(machine->cgroups, &machine->chance, makedev(0, 26));
        if (settings->cgroups.hybrid)
            r = path_make_folder(machine->init, NULL, CGROUPS_HYBRID, 0755);
        if (r == 0)
            r = mount_at(machine, machine->cgroup_files,
                         settings->cgroups.hybrid ? CGROUPS_HYBRID : CGROUPS);
    }
    return r;
}

/* As little of a system as proctord needs. */
static int make_files(struct machine *machine)
{
    int r = machine_write_file(machine, "/etc/passwd",
                               "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n", 0644);

    if (r == 0)
        r = machine_write_file(machine, "/etc/group", "root:x:0:\nweb:x:1000:\n", 0644);
    if (r == 0)
        r = machine_write_file(machine, "/usr/sbin/proctord", "the guests' program", 0755);
    if (r == 0)
        r = path_look_up(machine->init, NULL, "/usr/sbin/proctord", 0, &machine->program);
    if (r == 0)
        r = path_make_folder(machine->init, NULL, "/run/dbus", 0755);
    return r;
}

static void boot(struct machine *machine)
{
    machine->init = task_boot(machine->tasks, cgroup_root(machine->cgroups), "init");
    machine->init->root = inode_hold(machine->disk->root);
    machine->init->folder = inode_hold(machine->disk->root);
    snprintf(machine->boot_id, sizeof(machine->boot_id), "5d0a5910-c5b5-4e22-9b3d-%012x\n",
             ++machine->boots);
}

/* Does not fail: a machine that cannot be made is a bug of the simulator. */
struct machine *machine_new(const struct machine_settings *settings)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    if (!machine)
        return NULL;
    *machine = (struct machine){.guest = settings->guest,
                                .schedule = settings->schedule,
                                .hooks = settings->hooks,
                                .chance = {machine, choose},
                                .now_nsec = MACHINE_BOOT_NSEC,
                                .wall_nsec = (int64_t)MACHINE_WALL_NSEC,
                                .told = settings->told};
    const struct task_ports ports = {.userdata = machine,
                                     .now = now,
                                     .ended = task_ended,
                                     .stopped = task_moved,
                                     .continued = task_moved,
                                     .signalled = task_signalled,
                                     .sent = signal_sent};
    description_restart_numbers();
    machine->tasks = task_table_new(&settings->tasks, &ports, &machine->chance);
    machine->cgroups = cgroup_tree_new(&settings->cgroups, &machine->chance);
    machine->disk = volume_new(VOLUME_DISK, &machine->chance, makedev(8, 1));
    machine->disk->now = wall_now;
    machine->disk->now_userdata = machine;
    boot(machine);
    int r = make_volumes(machine, settings);
    if (r == 0)
        r = make_files(machine);
    if (r < 0) {
        fprintf(stderr, "proctor-sim: the machine cannot be made: %s\n", strerror(-r));
        abort();
    }
    volume_sync(machine->disk);
    return machine;
}

/* All guests, and all processes of the model. */
static void end_all(struct machine *machine)
{
    for (struct runner *runner = machine->runners; runner; runner = runner->next)
        if (!runner->gone) {
            guest_kill(machine->guest, runner->process);
            machine_drop_runner(runner);
        }
    for (struct task *task = task_first(machine->tasks); task; task = task->next)
        runner_free_program(task);
    runner_free_gone(machine);
    task_table_power_off(machine->tasks);
}

void machine_set_clock(struct machine *machine, int64_t change_nsec)
{
    machine->wall_nsec += change_nsec;
    timer_fd_clock_set(machine, change_nsec);
    machine->changes++;
}

/* The machine boots again. The wall clock continues as if no time had passed;
 * the monotonic one begins again. */
void machine_lose_power(struct machine *machine)
{
    uint64_t before = machine->now_nsec;

    end_all(machine);
    volume_lose_power(machine->disk);
    volume_lose_power(machine->run);
    machine->now_nsec = MACHINE_BOOT_NSEC;
    machine->wall_nsec += (int64_t)before - (int64_t)machine->now_nsec;
    boot(machine);
    path_make_folder(machine->init, NULL, "/run/dbus", 0755);
}

void machine_free(struct machine *machine)
{
    if (!machine)
        return;
    end_all(machine);
    inode_release(machine->program);
    task_table_free(machine->tasks);
    guest_clear_arena(machine->guest);
    free(machine);
}

int machine_write_file(struct machine *machine, const char *path, const char *text, mode_t mode)
{
    struct open_file *file;
    int r = file_open(machine->init, NULL, path, O_WRONLY | O_CREAT | O_TRUNC, mode, &file);

    if (r < 0)
        return r;
    ssize_t n = file_write(machine->init, file, text, strlen(text));
    file_release(file);
    return n < 0 ? (int)n : 0;
}

int machine_replace_file(struct machine *machine, const char *path, const char *text)
{
    struct open_file *file;
    char fresh[256];

    snprintf(fresh, sizeof(fresh), "%.200s.new", path);
    int r = machine_write_file(machine, fresh, text, 0644);
    if (r == 0)
        r = file_open(machine->init, NULL, fresh, O_RDONLY, 0, &file);
    if (r < 0)
        return r;
    r = file_sync(machine->init, file, false);
    file_release(file);
    return r < 0 ? r : path_rename(machine->init, NULL, fresh, NULL, path, 0);
}

/* ---- the first guest ------------------------------------------------------------------------- */

/* What belongs to a program and not to the kernel's record of the process. */
static struct program *new_program(struct machine *machine)
{
    struct program *program = calloc(1, sizeof(*program));

    if (!program)
        return NULL;
    program->memory = ++machine->memories;
    program->descriptors = descriptors_new(DESCRIPTORS_SOFT);
    for (int i = 0; i < MACHINE_LIMITS; i++)
        program->limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    program->limits[RLIMIT_NOFILE] = (struct rlimit){DESCRIPTORS_SOFT, DESCRIPTORS_HARD};
    return program;
}

/* 0, 1 and 2 are the console's: a file. */
static int open_console(struct machine *machine, struct program *program)
{
    struct open_file *file;
    int r =
        file_open(machine->init, NULL, "/run/console", O_RDWR | O_CREAT | O_APPEND, 0600, &file);

    for (int i = 0; r >= 0 && i < 3; i++)
        r = descriptors_add(program->descriptors, file_kind_new(file_hold(file)), i, false);
    if (r >= 0)
        file_release(file);
    return r < 0 ? r : 0;
}

/* A program as a child of the first process. */
int machine_start(struct machine *machine, const char *arguments, size_t arguments_size,
                  const char *environment, size_t environment_size, struct task **task)
{
    const struct task_birth birth = {};
    struct task *child = NULL;
    int r = task_fork(machine->init->threads, &birth, &child);

    if (r < 0)
        return r;
    child->runner = new_program(machine);
    r = child->runner ? open_console(machine, child->runner) : -ENOMEM;
    struct runner *runner = r == 0 ? machine_add_runner(machine, child->threads, 0) : NULL;
    if (!runner)
        return r < 0 ? r : -ENOMEM;
    task_execute(child->threads, "proctord", machine->program, arguments, arguments_size,
                 environment, environment_size);
    r = machine_renew(runner, arguments, arguments_size, environment, environment_size);
    if (r == 0)
        *task = child;
    return r;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void set_clock(struct machine *machine)
{
    int64_t since_boot = (int64_t)machine->now_nsec;
    guest_set_clock(machine->guest, since_boot, since_boot, machine->wall_nsec + since_boot);
}

/* Tries again the calls that wait. */
static void retry(struct machine *machine)
{
    for (struct runner *runner = machine->runners; runner; runner = runner->next)
        if (!runner->gone && runner->state == RUNNER_WAITS && task_may_run(runner->task))
            calls_make(runner);
}

/* The earliest time at which anything happens by itself. */
static uint64_t next_moment(const struct machine *machine)
{
    uint64_t next = timer_fd_next();

    for (const struct runner *runner = machine->runners; runner; runner = runner->next)
        if (!runner->gone && runner->state == RUNNER_WAITS && runner->call.deadline < next)
            next = runner->call.deadline;
    if (machine->hooks.next) {
        uint64_t outside = machine->hooks.next(machine->hooks.userdata);
        next = outside < next ? outside : next;
    }
    return next;
}

/* The schedule picks among those that are ready. */
static struct runner *choose_runner(struct machine *machine)
{
    struct runner *ready[WIRE_SLOTS];
    uint64_t keys[WIRE_SLOTS];
    uint32_t n = 0;

    for (struct runner *runner = machine->runners; runner && n < WIRE_SLOTS; runner = runner->next)
        if (!runner->gone && runner->state == RUNNER_READY && task_may_run(runner->task)) {
            keys[n] = (uint64_t)runner->thread->id;
            ready[n++] = runner;
        }
    return n == 0 ? NULL : ready[schedule_pick(machine->schedule, keys, n)];
}

/* To its next call, and what follows of it at once: nobody comes between a clone and its thread. */
static void run(struct runner *runner)
{
    struct machine *machine = runner->machine;

    do {
        struct wire_slot *slot = guest_slot(machine->guest, runner->slot);
        slot->result = runner->result;
        slot->action = runner->action;
        slot->other = runner->other;
        runner->action = WIRE_RETURN;
        set_clock(machine);
        int r = guest_run(machine->guest, runner->slot);
        if (r < 0) {
            machine_fail(machine, r == -ESRCH ? "%s (PID %d) has crashed" : "%s (PID %d) hangs",
                         runner->thread->name, runner->task->pid);
            return;
        }
        machine->now_nsec += MACHINE_CALL_NSEC;
        runner->call = (struct call){
            .number = slot->number, .deadline = MACHINE_NEVER, .since_nsec = machine->now_nsec};
        memcpy(runner->call.arguments, slot->arguments, sizeof(slot->arguments));
        calls_make(runner);
    } while (!machine->failed && !runner->gone && runner->action != WIRE_RETURN);
}

/* One system call, or one jump in time. MACHINE_QUIET: nothing happens before
 * `until_nsec`. */
enum machine_progress machine_step(struct machine *machine, uint64_t until_nsec)
{
    if (machine->hooks.wake)
        machine->hooks.wake(machine->hooks.userdata);
    if (machine->hooks.pump && machine->hooks.pump(machine->hooks.userdata))
        machine->changes++;
    retry(machine);
    runner_free_gone(machine);
    if (machine->failed)
        return MACHINE_FAILED;
    struct runner *runner = choose_runner(machine);
    if (runner) {
        run(runner);
        return machine->failed ? MACHINE_FAILED : MACHINE_MOVED;
    }
    uint64_t next = next_moment(machine);
    if (next > until_nsec) {
        machine->now_nsec = machine->now_nsec > until_nsec ? machine->now_nsec : until_nsec;
        return MACHINE_QUIET;
    }
    machine->now_nsec = next > machine->now_nsec ? next : machine->now_nsec + 1;
    machine->changes++;
    return MACHINE_MOVED;
}
