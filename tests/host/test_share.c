/*
 * Shares: so many at once, then one each so long, whatever others send.
 */
#include "../named.h"
#include "share.h"

#include <glib.h>

#define EACH  1000
#define BURST 5
#define START 1000000

static void so_many_at_once_and_then_one_each_so_long(void)
{
    struct share share = {};

    for (int i = 0; i < BURST; i++) {
        g_assert_true(share_admits(&share, START, EACH, BURST)); /* and takes nothing */
        g_assert_true(share_take(&share, START, EACH, BURST));
    }
    g_assert_false(share_admits(&share, START, EACH, BURST));
    g_assert_false(share_take(&share, START, EACH, BURST));
    g_assert_false(share_take(&share, START + EACH - 1, EACH, BURST));
    g_assert_true(share_take(&share, START + EACH, EACH, BURST));
    g_assert_false(share_take(&share, START + EACH, EACH, BURST));
}

static void silence_gives_the_burst_back_and_no_more(void)
{
    struct share share = {};
    int taken = 0;

    while (share_take(&share, START, EACH, BURST))
        ;
    while (share_take(&share, START + 1000 * EACH, EACH, BURST))
        taken++;
    g_assert_cmpint(taken, ==, BURST);
}

static void a_closed_one_opens_again(void)
{
    struct share share = {};
    uint64_t until = START + 100 * EACH;

    share_close(&share, until);

    g_assert_false(share_take(&share, START, EACH, BURST));
    g_assert_true(share_take(&share, until, EACH, BURST));
}

static void each_sender_has_its_own(void)
{
    struct senders *senders = g_new0(struct senders, 1);

    struct share *loud = senders_find(senders, 1, START);
    while (share_take(loud, START, EACH, BURST))
        ;
    for (guint64 key = 2; key < 100; key++)
        g_assert_true(share_take(senders_find(senders, key, START), START, EACH, BURST));
    g_assert_true(senders_find(senders, 1, START) == loud);
    g_assert_false(share_take(loud, START, EACH, BURST));
    g_free(senders);
}

/* No sender gets a new share by making others forget it. */
static void a_busy_one_is_not_forgotten(void)
{
    struct senders *senders = g_new0(struct senders, 1);
    struct share *loud = senders_find(senders, 1, START);
    guint without = 0;

    share_close(loud, START + EACH);
    for (guint64 key = 2; key < 100000; key++) {
        struct share *other = senders_find(senders, key, START);
        without += !other;
        if (other)
            share_take(other, START, EACH, BURST);
    }
    g_assert_true(senders_find(senders, 1, START) == loud);
    g_assert_false(share_take(loud, START, EACH, 1));
    g_assert_cmpuint(without, ==, 100000 - 1 - SENDERS_SETS * SENDERS_WAYS);
    g_assert_nonnull(senders_find(senders, 100000, START + EACH)); /* they have been silent */
    g_free(senders);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    TEST("/share", so_many_at_once_and_then_one_each_so_long);
    TEST("/share", silence_gives_the_burst_back_and_no_more);
    TEST("/share", a_closed_one_opens_again);
    TEST("/share", each_sender_has_its_own);
    TEST("/share", a_busy_one_is_not_forgotten);
    return g_test_run();
}
