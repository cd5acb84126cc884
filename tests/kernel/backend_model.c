#include "backend.h"

#include "calls.h"
#include "kernel/proc_files.h"
#include "puppets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- kernels --------------------------------------------------------------------------------- */

/* What is known of kernels; how the cgroups are mounted stands behind the version. */
static const struct profile {
    const char *name;
    struct task_profile tasks;
    struct cgroup_profile cgroups;
} profiles[] = {
    {"6.18",
     {.group_by_pidfd = true, .exit_info = true, .strict_environ = true},
     {.kills_newcomers = true, .misses_leaderless = true}},
    {"6.1", {0}, {.kills_newcomers = true, .misses_leaderless = true}},
};

static bool profile_find(const char *name, struct profile *profile)
{
    size_t length = strcspn(name, "-");

    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        if (strlen(profiles[i].name) != length || strncmp(profiles[i].name, name, length) != 0)
            continue;
        *profile = profiles[i];
        profile->cgroups.hybrid = strcmp(name + length, "-hybrid") == 0;
        if (!profile->cgroups.hybrid)
            profile->cgroups.controllers = CGROUP_CPU | CGROUP_MEMORY | CGROUP_PIDS | CGROUP_IO;
        return true;
    }
    return false;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static struct puppet *puppet_of(const struct task *task)
{
    return task->runner;
}

static void ended(void *userdata, struct task *task)
{
    struct puppet *puppet = puppet_of(task);

    (void)userdata;
    for (int i = 0; puppet && i < DESCRIPTORS; i++)
        puppet_close(&puppet->slots[i]);
}

static void list_descriptors(void *userdata, const struct task *task,
                             void (*add)(void *userdata, int number), void *add_userdata)
{
    const struct puppet *puppet = puppet_of(task);

    (void)userdata;
    for (int i = 0; puppet && i < DESCRIPTORS; i++)
        if (puppet->slots[i].file || puppet->slots[i].task)
            add(add_userdata, i);
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void make_folders(struct task *init)
{
    static const char *const paths[] = {"/proc", "/sys", "/work"};
    struct inode *folder;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        path_make_folder(init, NULL, paths[i], 0755);
    path_look_up(init, NULL, "/proc", 0, &folder);
    volume_mount(model.proc, folder);
    inode_release(folder);
    path_look_up(init, NULL, "/sys", 0, &folder);
    volume_mount(model.groups, folder);
    inode_release(folder);
}

static void join(unsigned puppet, struct task *task)
{
    model.puppets[puppet] = (struct puppet){.thread = task->threads, .task = task_hold(task)};
    task->runner = &model.puppets[puppet];
}

static void execute(struct puppet *puppet)
{
    static const char environment[] = "HOME=/";
    char arguments[64];
    int n = snprintf(arguments, sizeof(arguments), "kernel-programs%c--puppet%c%u", '\0', '\0',
                     (unsigned)(puppet - model.puppets));

    task_execute(puppet->thread, "exe", NULL, arguments, (size_t)n + 1, environment,
                 sizeof(environment));
    memset(puppet->handled, 0, sizeof(puppet->handled));
    for (int i = 0; i < DESCRIPTORS; i++)
        puppet_close(&puppet->slots[i]);
}

static bool model_begin(const char *name)
{
    struct profile profile;
    struct task_ports ports = {.ended = ended};
    struct task *first;

    if (!profile_find(name, &profile))
        return false;
    model.tasks = task_table_new(&profile.tasks, &ports, NULL);
    model.cgroups = cgroup_tree_new(&profile.cgroups, NULL);
    model.disk = volume_new(VOLUME_DISK, NULL, 1);
    model.groups = cgroup_files_new(model.cgroups, NULL, 2);
    struct proc_settings settings = {
        .tasks = model.tasks, .cgroups = model.cgroups, .ports.list_descriptors = list_descriptors};
    model.proc = proc_files_new(&settings, 3);
    model.init = task_boot(model.tasks, cgroup_root(model.cgroups), "init");
    model.init->root = inode_hold(model.disk->root);
    model.init->folder = inode_hold(model.disk->root);
    make_folders(model.init);
    struct task_birth birth = {0};
    if (task_fork(model.init->threads, &birth, &first) < 0)
        return false;
    join(0, first);
    execute(&model.puppets[0]);
    calls_model.setsid(&model.puppets[0]);
    calls_model.chdir(&model.puppets[0], "/work");
    return true;
}

static int model_fork(unsigned index, unsigned child, bool of_parent, const char *into)
{
    struct puppet *puppet = &model.puppets[index];
    struct task_birth birth = {.of_parent = of_parent};
    struct inode *folder = NULL;
    struct task *task;

    if (!task_is_alive(puppet->task))
        return -ESRCH;
    int r = into ? path_look_up(puppet->task, NULL, into, 0, &folder) : 0;
    if (r < 0)
        return r;
    birth.into = folder ? cgroup_of_inode(folder) : NULL;
    r = folder && !birth.into ? -EBADF : task_fork(puppet->thread, &birth, &task);
    inode_release(folder);
    if (r < 0)
        return r;
    pid_t number = task->pid;
    join(child, task);
    struct puppet *born = &model.puppets[child];
    for (int i = 0; task_is_alive(task) && i < DESCRIPTORS; i++) {
        const struct slot *slot = &puppet->slots[i];

        if (slot->file || slot->task)
            born->slots[i] = (struct slot){slot->file ? file_hold(slot->file) : NULL,
                                           slot->task ? task_hold(slot->task) : NULL};
    }
    memcpy(born->handled, puppet->handled, sizeof(born->handled));
    return number;
}

/* Handlers run as soon as they can. */
static void run_handlers(void)
{
    struct signal_action action;
    siginfo_t info;

    for (int i = 0; i < PUPPETS; i++) {
        struct puppet *puppet = &model.puppets[i];

        if (!puppet->task || !task_is_alive(puppet->task))
            continue;
        for (int signal; (signal = signal_next(puppet->thread, &info, &action)) > 0;)
            puppet->handled[signal]++;
    }
}

/* The main thread ends, and another one continues. */
static void end_main_thread(struct puppet *puppet)
{
    struct thread *main_thread = puppet->thread;

    if (task_add_thread(puppet->task, &puppet->thread) == 0)
        thread_exit(main_thread, 0);
}

static void model_order(unsigned index, int n, char *words[], FILE *out)
{
    struct puppet *puppet = &model.puppets[index];
    char *reply = NULL;
    size_t size;
    bool could = task_is_alive(puppet->task);
    FILE *text = open_memstream(&reply, &size);

    if (!could)
        fputs("", text);
    else if (strcmp(words[0], "exit") == 0)
        task_exit(puppet->task, atoi(words[1]));
    else if (strcmp(words[0], "main-ends") == 0 || strcmp(words[0], "exec") == 0)
        fputs("ok", text), *words[0] == 'm' ? end_main_thread(puppet) : execute(puppet);
    else
        step_take(&calls_model, puppet, n, words, text);
    fclose(text);
    run_handlers();
    fputs(task_is_alive(puppet->task) ? reply : "it has ended", out);
    free(reply);
}

static pid_t model_number(unsigned puppet)
{
    return model.puppets[puppet].task->pid;
}

static pid_t model_init(void)
{
    return 1;
}

static const char *model_cgroup(void)
{
    if (cgroup_find(cgroup_root(model.cgroups), "test") ||
        cgroup_make(cgroup_root(model.cgroups), "test", NULL) == 0)
        strcpy(model.cgroup, "/sys/test");
    return model.cgroup;
}

static void model_end(void)
{
    for (int i = 0; i < PUPPETS; i++)
        for (int fd = 0; fd < DESCRIPTORS; fd++)
            puppet_close(&model.puppets[i].slots[fd]);
    for (int i = 0; i < PUPPETS; i++)
        if (model.puppets[i].task)
            task_release(model.puppets[i].task);
    task_table_free(model.tasks);
    volume_free(model.proc);
    volume_free(model.groups);
    volume_free(model.disk);
    cgroup_tree_free(model.cgroups);
}

const struct backend backend_model = {
    .begin = model_begin,
    .fork = model_fork,
    .order = model_order,
    .number = model_number,
    .init = model_init,
    .cgroup = model_cgroup,
    .end = model_end,
};
