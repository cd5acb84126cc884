/*
 * Users and groups, looked up beside the loop in databases that this program plays.
 */
#include "../named.h"
#include "account.h"
#include "beside.h"

#include <errno.h>
#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <stdatomic.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define DEADLINE_USEC 20000000
#define MANY          1000 /* groups of one user */

static int gate = -1; /* "far" is not answered before its other end is closed */

/* ---- the databases --------------------------------------------------------------------------- */

static int answer_user(const char *name, uid_t uid, struct passwd *entry, char *text, size_t size,
                       struct passwd **found)
{
    if (size < 5000) /* a long entry */
        return ERANGE;
    strcpy(text, name);
    *entry = (struct passwd){
        .pw_name = text, .pw_uid = uid, .pw_gid = uid + 1, .pw_dir = "/home/x", .pw_shell = "/s"};
    *found = entry;
    return 0;
}

int getpwnam_r(const char *name, struct passwd *entry, char *text, size_t size,
               struct passwd **found)
{
    char byte;

    *found = NULL;
    if (strcmp(name, "far") == 0)
        g_assert_cmpint(read(gate, &byte, 1), ==, 0);
    if (strcmp(name, "away") == 0)
        return ETIMEDOUT;
    if (strcmp(name, "all") == 0)
        return answer_user(name, (uid_t)-1, entry, text, size, found);
    if (strcmp(name, "web") != 0 && strcmp(name, "far") != 0)
        return ENOENT;
    return answer_user(name, 700, entry, text, size, found);
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *text, size_t size, struct passwd **found)
{
    *found = NULL;
    return uid == 700 ? answer_user("web", uid, entry, text, size, found) : 0;
}

int getgrnam_r(const char *name, struct group *entry, char *text, size_t size, struct group **found)
{
    (void)text;
    (void)size;
    *found = NULL;
    if (strcmp(name, "disk") != 0)
        return 0;
    *entry = (struct group){.gr_gid = 6};
    *found = entry;
    return 0;
}

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
{
    (void)user;
    int room = *count;
    *count = MANY;
    for (int i = 0; i < room && i < MANY; i++)
        groups[i] = i == 0 ? group : (gid_t)(2000 + i);
    return room < MANY ? -1 : MANY;
}

/* ---- at once --------------------------------------------------------------------------------- */

static struct account *find(const char *user, const char *group)
{
    return account_find(&(struct account_question){.user = user, .group = group});
}

static void a_user_has_all_of_its_groups(void)
{
    struct account *account = find("web", NULL);

    g_assert_cmpint(account->error, ==, 0);
    g_assert_cmpuint(account->uid, ==, 700);
    g_assert_cmpuint(account->gid, ==, 701);
    g_assert_cmpstr(account->name, ==, "web");
    g_assert_cmpstr(account->home, ==, "/home/x");
    g_assert_cmpstr(account->shell, ==, "/s");
    g_assert_cmpuint(account->n_groups, ==, MANY);
    g_assert_cmpuint(account->groups[MANY - 1], ==, 2000 + MANY - 1);
    account_free(account);
}

static void groups_add_up(void)
{
    const char *more[] = {"disk", "77", NULL};
    struct account *account = account_find(
        &(struct account_question){.user = "700", .group = "disk", .supplementary_groups = more});

    g_assert_cmpint(account->error, ==, 0);
    g_assert_cmpuint(account->uid, ==, 700);
    g_assert_cmpuint(account->gid, ==, 6);
    g_assert_cmpuint(account->n_groups, ==, MANY + 2);
    g_assert_cmpuint(account->groups[MANY], ==, 6);
    g_assert_cmpuint(account->groups[MANY + 1], ==, 77);
    account_free(account);
}

static void expect_failure(const char *user, const char *group, int error, const char *step)
{
    struct account *account = find(user, group);

    g_assert_cmpint(account->error, ==, error);
    g_assert_cmpstr(account->step, ==, step);
    g_assert_cmpstr(account->culprit, ==, strcmp(step, "user") == 0 ? user : group);
    account_free(account);
}

static void numbers_are_digits_up_to_a_bound(void)
{
    static const char *const no_numbers[] = {"-1", "+1", " 1", "1 ", "0x1", "1e3", "", "1.0"};
    struct account *account = find("4294967294", "4294967294");
    id_t id;

    g_assert_cmpint(account->error, ==, 0);
    g_assert_cmpuint(account->uid, ==, 4294967294u);
    g_assert_cmpuint(account->gid, ==, 4294967294u);
    g_assert_null(account->name);
    account_free(account);
    g_assert_cmpint(account_read_id("4294967293", &id), ==, 0);
    g_assert_cmpuint(id, ==, 4294967293u);
    expect_failure("4294967295", NULL, -ERANGE, "user");
    expect_failure("4294967296", NULL, -ERANGE, "user");
    expect_failure("18446744073709551616", NULL, -ERANGE, "user");
    expect_failure("0", "4294967295", -ERANGE, "unix_group");
    for (size_t i = 0; i < G_N_ELEMENTS(no_numbers); i++) {
        expect_failure(no_numbers[i], NULL, -ENOENT, "user");
        expect_failure("0", no_numbers[i], -ENOENT, "unix_group");
    }
}

static void failures_name_their_key(void)
{
    const char *more[] = {"disk", "nosuch", NULL};
    struct account *account =
        account_find(&(struct account_question){.user = "web", .supplementary_groups = more});

    g_assert_cmpint(account->error, ==, -ENOENT);
    g_assert_cmpstr(account->step, ==, "supplementary_groups");
    g_assert_cmpstr(account->culprit, ==, "nosuch");
    account_free(account);
    expect_failure("away", NULL, -ETIMEDOUT, "user");
    expect_failure("all", NULL, -ERANGE, "user"); /* a database that says -1 */
}

/* ---- beside the loop ------------------------------------------------------------------------- */

static void keep(void *userdata, struct account *account)
{
    *(struct account **)userdata = account;
}

static void run_until(sd_event *event, struct account **account)
{
    gint64 deadline = g_get_monotonic_time() + DEADLINE_USEC;

    while (!*account && g_get_monotonic_time() < deadline)
        sd_event_run(event, 1000);
    g_assert_nonnull(*account);
}

static void a_silent_directory_holds_up_no_other_user(void)
{
    sd_event *event;
    struct account *far = NULL, *web = NULL;
    struct account_lookup *forgotten;
    int ends[2];
    const char *what;

    g_assert_cmpint(pipe(ends), ==, 0);
    gate = ends[0];
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    g_assert_cmpint(beside_start(event), ==, 0);

    account_look_up(&(struct account_question){.user = "far"}, keep, &far, NULL);
    account_look_up(&(struct account_question){.user = "far"}, keep, NULL, &forgotten);
    account_look_up(&(struct account_question){.user = "web"}, keep, &web, NULL);
    run_until(event, &web);
    g_assert_cmpuint(web->uid, ==, 700);
    g_assert_null(far);
    account_forget(forgotten);
    close(ends[1]);
    run_until(event, &far);

    g_assert_cmpint(beside_wait(DEADLINE_USEC, 0, &what), ==, 0);
    account_free(far);
    account_free(web);
    beside_end();
    sd_event_unref(event);
    close(gate);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/account", a_user_has_all_of_its_groups);
    TEST("/account", groups_add_up);
    TEST("/account", numbers_are_digits_up_to_a_bound);
    TEST("/account", failures_name_their_key);
    TEST("/account", a_silent_directory_holds_up_no_other_user);
    return g_test_run();
}
