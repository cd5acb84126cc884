/*
 * The simulator's clients beside a real proctord, on the simulator's broker behind a real socket:
 * each habit, and all at once. Whatever they do, each call has one answer, each message is valid,
 * and one that listens knows what is true.
 */
#include "../named.h"
#include "broker_server.h"

#include <gio/gio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const children[] = {"web", "db", "nobody"};

static const char manifest[] = "supervisor: root\n"
                               "children:\n"
                               "  - {name: web, exec: [/bin/sleep, \"1000\"]}\n"
                               "  - {name: db, exec: [/bin/sleep, \"1000\"]}\n";

static char *folder;

static uint32_t choose(void *userdata, uint32_t count)
{
    uint64_t *state = userdata;

    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % count;
}

/* Root, and others where polkit says yes. */
static void add(struct bus_side *side, enum client_habit habit, uint32_t uid, uint32_t turns)
{
    static uint64_t states[16];
    static size_t n;
    struct client_plan plan = {.habit = habit,
                               .pid = (uint32_t)getpid(),
                               .uid = uid,
                               .pause_nsec = 5000000,
                               .turns = turns,
                               .is_allowed =
                                   uid == 0 || side->authority.manner == AUTHORITY_SAYS_YES,
                               .children = children,
                               .n_children = G_N_ELEMENTS(children),
                               .choose = choose,
                               .userdata = &states[n++ % 16]};

    bus_side_add(side, &plan);
}

static GPid start_proctord(const char *address, GPid *wait_for)
{
    g_autofree char *state = g_build_filename(folder, "state", NULL);
    g_autofree char *run = g_build_filename(folder, "run", NULL);
    g_autofree char *manifests = g_build_filename(folder, "children.d", NULL);
    g_autofree char *file = g_build_filename(manifests, "tree.yaml", NULL);
    const char *arguments[] = {g_getenv("PROCTORD"),
                               g_strdup_printf("--bus-address=%s", address),
                               g_strdup_printf("--state-dir=%s", state),
                               g_strdup_printf("--runtime-dir=%s", run),
                               g_strdup_printf("--manifests=%s", manifests),
                               NULL};
    g_autoptr(GError) error = NULL;

    g_mkdir_with_parents(manifests, 0755);
    g_assert_true(g_file_set_contents(file, manifest, -1, NULL));
    g_spawn_async(NULL, (char **)arguments, NULL,
                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                      G_SPAWN_STDERR_TO_DEV_NULL,
                  NULL, NULL, wait_for, &error);
    g_assert_no_error(error);
    for (size_t i = 1; arguments[i]; i++)
        g_free((char *)arguments[i]);
    return *wait_for;
}

static void remove_folder(void)
{
    const char *arguments[] = {"rm", "-r", folder, NULL};

    g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                 NULL);
    g_free(folder);
}

/* Returns what was found wrong, and what each client has seen. */
static char *watch(struct bus_side *side)
{
    char text[4096];
    size_t size = 0;
    ssize_t count;
    int ends[2], status;
    GPid proctord, server;

    folder = g_dir_make_tmp("proctor-clients-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "bus", NULL);
    g_autofree char *address = g_strdup_printf("unix:path=%s", path);
    g_assert_cmpint(pipe(ends), ==, 0);
    server = broker_server_start_side(path, side, ends[1]);
    close(ends[1]);
    start_proctord(address, &proctord);
    while (size < sizeof(text) - 1 &&
           (count = read(ends[0], text + size, sizeof(text) - 1 - size)) > 0)
        size += (size_t)count;
    text[size] = '\0';
    close(ends[0]);
    waitpid(server, NULL, 0);
    kill(proctord, SIGTERM);
    waitpid(proctord, &status, 0);
    g_assert_cmpint(status, ==, 0);
    bus_side_free(side);
    remove_folder();
    return g_strdup(text);
}

static void expect_nothing_wrong(struct bus_side *side)
{
    g_autofree char *text = watch(side);
    char *details = strchr(text, '\n');

    g_test_message("%s", text);
    g_assert_nonnull(details);
    *details = '\0';
    g_assert_cmpstr(text, ==, "");
}

static void one_habit(gconstpointer data)
{
    enum client_habit habit = *(const enum client_habit *)data;
    struct bus_side side;

    bus_side_init(&side, AUTHORITY_SAYS_YES, 0);
    add(&side, CLIENT_LISTENS, 0, 0);
    add(&side, habit, 0, 20);
    expect_nothing_wrong(&side);
}

static void each_authority(void)
{
    for (enum authority_manner manner = AUTHORITY_ABSENT; manner < AUTHORITY_MANNERS; manner++) {
        struct bus_side side;
        if (manner == AUTHORITY_IS_SILENT)
            continue; /* 25 s of real time */
        bus_side_init(&side, manner, 20000000);
        add(&side, CLIENT_LISTENS, 1234, 0);
        add(&side, CLIENT_OPERATES, 1234, 10);
        add(&side, CLIENT_STRAYS, 1234, 3);
        expect_nothing_wrong(&side);
    }
}

static void all_at_once(void)
{
    struct bus_side side;

    bus_side_init(&side, AUTHORITY_SAYS_YES, 1000000);
    for (enum client_habit habit = 0; habit < CLIENT_HABITS; habit++) {
        add(&side, habit, 0, 5);
        add(&side, habit, 1234, 5);
    }
    expect_nothing_wrong(&side);
}

int main(int argc, char **argv)
{
    static enum client_habit habits[CLIENT_HABITS];
    char path[64];

    g_test_init(&argc, &argv, NULL);
    for (enum client_habit habit = CLIENT_OPERATES; habit < CLIENT_HABITS; habit++) {
        habits[habit] = habit;
        g_snprintf(path, sizeof(path), "/clients/%s", client_habit_to_string(habit));
        g_test_add_data_func(path, &habits[habit], one_habit);
    }
    TEST("/clients", each_authority);
    TEST("/clients", all_at_once);
    return g_test_run();
}
