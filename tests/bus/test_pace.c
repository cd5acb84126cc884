/*
 * Pace, with a clock that the test moves: which user owes, how a debt is paid back, which user
 * holds up which, and that the tables are bounded. Its own functions are tried, as the clock is
 * behind them.
 */
#include "../named.h"
#include "bus/pace.c"

#include <glib.h>

#define ALICE 70001
#define BOB   70002

static struct service service;
static struct pace *pace;
static uint64_t now;

static void begin(void)
{
    pace_free(pace);
    g_assert_cmpint(pace_new(&service, &pace), ==, 0);
    now = now_usec() + COMPANY_USEC;
}

static struct talker *talker_of(uid_t uid, const char *name)
{
    struct talker *talker = find(pace, name, uid, now);

    talker->seen_usec = talker->account->seen_usec = now;
    return talker;
}

static void costs(struct talker *talker, uint64_t usec)
{
    charge(&talker->debt, usec);
    charge(&talker->account->calls, usec);
}

static void a_debt_begins_at_the_credit(void)
{
    struct debt debt = {.paid_usec = now};

    charge(&debt, CREDIT_USEC - 1);
    g_assert_false(debt.debtor);
    charge(&debt, 1);
    g_assert_true(debt.debtor);
    pay_back(&debt, SHARE, 1, now + SHARE * CREDIT_USEC - SHARE);
    g_assert_cmpuint(debt.usec, ==, 1);
    g_assert_true(debt.debtor); /* until all of it is paid */
    pay_back(&debt, SHARE, 1, debt.paid_usec + SHARE);
    g_assert_cmpuint(debt.usec, ==, 0);
    g_assert_false(debt.debtor);
}

static void those_that_share_pay_more_slowly(void)
{
    struct debt alone = {.usec = 1000, .paid_usec = now}, one_of_four = alone;

    pay_back(&alone, SHARE, 1, now + 800);
    pay_back(&one_of_four, SHARE, 4, now + 800);
    g_assert_cmpuint(alone.usec, ==, 600);
    g_assert_cmpuint(one_of_four.usec, ==, 900);
}

static void nobody_is_held_up_alone(void)
{
    begin();
    struct talker *alice = talker_of(ALICE, ":1.1");

    costs(alice, 100 * CREDIT_USEC);
    g_assert_true(may_go(pace, alice, now));
    struct talker *bob = talker_of(BOB, ":1.2");
    g_assert_false(may_go(pace, alice, now));
    g_assert_true(may_go(pace, bob, now));
    now += COMPANY_USEC - 1; /* he is still there, */
    g_assert_false(may_go(pace, alice, now));
    now += 1; /* and now he is not */
    g_assert_true(may_go(pace, alice, now));
}

static void a_client_that_has_paid_goes_on(void)
{
    begin();
    struct talker *alice = talker_of(ALICE, ":1.1");

    costs(alice, CREDIT_USEC);
    for (uint64_t usec = 0; usec < DEBTORS_SHARE * CREDIT_USEC; usec += CREDIT_USEC) {
        talker_of(BOB, ":1.2");
        now += CREDIT_USEC;
        may_go(pace, alice, now);
    }
    talker_of(BOB, ":1.2");
    g_assert_cmpuint(alice->debt.usec, ==, 0);
    g_assert_true(may_go(pace, alice, now));
}

static void connections_beyond_the_most_are_measured_together(void)
{
    begin();
    for (unsigned i = 0; i <= TALKERS_PER_UID; i++) {
        g_autofree char *name = g_strdup_printf(":1.%u", i);
        struct talker *talker = talker_of(ALICE, name);
        bool own = talker != &talker->account->rest;
        g_assert_cmpint(own, ==, i < TALKERS_PER_UID);
    }
    g_assert_true(talker_of(BOB, ":2.1") != &talker_of(BOB, ":2.1")->account->rest);
}

static void uids_beyond_the_most_are_measured_together(void)
{
    begin();
    for (unsigned i = 0; i <= ACCOUNTS_MAX; i++) {
        struct account *account = account_of(pace, ALICE + i, now);
        account->seen_usec = now;
        g_assert_cmpint(account != pace->accounts, ==, i < ACCOUNTS_MAX);
    }
    now += COMPANY_USEC; /* they owe nothing and are silent: their places are free */
    g_assert_true(account_of(pace, ALICE + ACCOUNTS_MAX, now) != pace->accounts);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(sd_event_new(&service.event), >=, 0);
    TEST("/pace", a_debt_begins_at_the_credit);
    TEST("/pace", those_that_share_pay_more_slowly);
    TEST("/pace", nobody_is_held_up_alone);
    TEST("/pace", a_client_that_has_paid_goes_on);
    TEST("/pace", connections_beyond_the_most_are_measured_together);
    TEST("/pace", uids_beyond_the_most_are_measured_together);
    int r = g_test_run();
    pace_free(pace);
    sd_event_unref(service.event);
    return r;
}
