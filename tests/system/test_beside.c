/*
 * Calls beside the loop: what waits there waits alone, in order, and outlives its owner.
 */
#include "../named.h"
#include "beside.h"

#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_USEC 20000000

static sd_event *event;
static char made[256], told[256], released[256]; /* letters of works, in order */
static atomic_int n_made;

/* One that waits until it is let go: by closing the other end of its pipe. */
struct letter {
    struct beside_work work;
    char name;
    int gate; /* -1: it does not wait */
};

static void append(char *text, char letter)
{
    size_t length = strlen(text);
    g_assert_cmpuint(length, <, 255);
    text[length] = letter;
}

static void make_letter(void *data)
{
    const struct letter *letter = data;
    char byte;

    if (letter->gate >= 0) {
        g_assert_cmpint(read(letter->gate, &byte, 1), ==, 0);
        close(letter->gate);
    }
    made[atomic_fetch_add(&n_made, 1)] = letter->name;
}

static void tell_letter(void *data)
{
    const struct letter *letter = data;
    append(told, letter->name);
}

static void release_letter(void *data)
{
    const struct letter *letter = data;
    append(released, letter->name);
    free(data);
}

static void hand_in(struct beside_queue *queue, char name, int gate)
{
    struct letter *letter = calloc(1, sizeof(*letter));

    letter->name = name;
    letter->gate = gate;
    letter->work = (struct beside_work){.what = "make a letter",
                                        .work = make_letter,
                                        .done = tell_letter,
                                        .release = release_letter,
                                        .data = letter};
    beside_do(queue, &letter->work);
}

/* Returns the end whose closing lets the work go. */
static int hand_in_waiting(struct beside_queue *queue, char name)
{
    int ends[2];

    g_assert_cmpint(pipe(ends), ==, 0);
    hand_in(queue, name, ends[0]);
    return ends[1];
}

static void begin(void)
{
    memset(made, 0, sizeof(made));
    memset(told, 0, sizeof(told));
    memset(released, 0, sizeof(released));
    atomic_store(&n_made, 0);
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    g_assert_cmpint(beside_start(event), ==, 0);
}

static void end(void)
{
    beside_end();
    event = sd_event_unref(event);
}

static bool loop_until(bool (*is_so)(void))
{
    gint64 deadline = g_get_monotonic_time() + DEADLINE_USEC;

    while (!is_so() && g_get_monotonic_time() < deadline)
        sd_event_run(event, 1000);
    return is_so();
}

static size_t wanted;

static bool enough_are_released(void)
{
    return strlen(released) >= wanted;
}

static bool enough_are_running(void)
{
    return beside_counters().running >= wanted;
}

static void wait_for_released(size_t count)
{
    wanted = count;
    g_assert_true(loop_until(enough_are_released));
}

static void wait_for_running(size_t count)
{
    wanted = count;
    g_assert_true(loop_until(enough_are_running));
}

static void works_of_one_queue_keep_their_order(void)
{
    begin();
    struct beside_queue *queue = beside_queue_new();

    int gate = hand_in_waiting(queue, 'a');
    for (char name = 'b'; name <= 'z'; name++)
        hand_in(queue, name, -1);
    wait_for_running(1);
    g_assert_cmpint(atomic_load(&n_made), ==, 0);
    close(gate);
    wait_for_released(26);

    g_assert_cmpstr(made, ==, "abcdefghijklmnopqrstuvwxyz");
    g_assert_cmpstr(told, ==, "abcdefghijklmnopqrstuvwxyz");
    g_assert_cmpstr(released, ==, "abcdefghijklmnopqrstuvwxyz");
    beside_leave(queue);
    end();
}

static void another_queue_does_not_wait(void)
{
    begin();
    struct beside_queue *one = beside_queue_new(), *other = beside_queue_new();

    int gate = hand_in_waiting(one, 'a');
    hand_in(one, 'b', -1);
    hand_in(other, 'x', -1);
    hand_in(NULL, 'y', -1);
    wait_for_released(2);

    g_assert_null(strchr(told, 'a'));
    g_assert_null(strchr(told, 'b'));
    close(gate);
    wait_for_released(4);
    beside_leave(one);
    beside_leave(other);
    end();
}

static void hung_ones_are_replaced_up_to_a_bound(void)
{
    int gates[BESIDE_THREADS];
    begin();
    struct beside_queue *reserved = beside_queue_new();

    beside_reserve(reserved);
    for (size_t i = 0; i < BESIDE_THREADS - 1; i++)
        gates[i] = hand_in_waiting(NULL, 'h');
    wait_for_running(BESIDE_THREADS - 1);
    hand_in(NULL, 'l', -1); /* the last thread serves it */
    wait_for_released(1);
    gates[BESIDE_THREADS - 1] = hand_in_waiting(NULL, 'h');
    wait_for_running(BESIDE_THREADS);
    hand_in(NULL, 'w', -1); /* waits */
    hand_in(reserved, 'r', -1);
    wait_for_released(2);

    g_assert_cmpstr(told, ==, "lr");
    struct beside_counters counters = beside_counters();
    g_assert_cmpuint(counters.running, ==, BESIDE_THREADS);
    g_assert_cmpuint(counters.waiting, ==, 1);
    g_assert_cmpuint(counters.oldest_usec, >, 0);
    for (size_t i = 0; i < BESIDE_THREADS; i++)
        close(gates[i]);
    wait_for_released(BESIDE_THREADS + 3);
    beside_leave(reserved);
    end();
}

static void owner_goes_while_a_call_hangs(void)
{
    begin();
    struct beside_queue *queue = beside_queue_new();

    int gate = hand_in_waiting(queue, 'a');
    hand_in(queue, 'b', -1);
    wait_for_running(1);
    beside_cancel(queue);
    wait_for_released(1);
    g_assert_cmpstr(released, ==, "b");
    close(gate);
    wait_for_released(2);

    g_assert_cmpstr(made, ==, "a");
    g_assert_cmpstr(told, ==, "");
    end();
}

static void what_is_left_is_still_made(void)
{
    begin();
    struct beside_queue *queue = beside_queue_new();

    int gate = hand_in_waiting(queue, 'a');
    hand_in(queue, 'b', -1);
    beside_leave(queue);
    close(gate);
    wait_for_released(2);

    g_assert_cmpstr(made, ==, "ab");
    g_assert_cmpstr(told, ==, "");
    end();
}

static void waiting_has_a_bound(void)
{
    const char *what = NULL;
    begin();

    int gate = hand_in_waiting(NULL, 'a');
    g_assert_cmpint(beside_wait(30000, 0, &what), ==, -EBUSY);
    g_assert_cmpstr(what, ==, "make a letter");
    close(gate);
    g_assert_cmpint(beside_wait(DEADLINE_USEC, 0, &what), ==, 0);

    g_assert_null(what);
    g_assert_cmpstr(told, ==, "a");
    end();
}

static void the_end_does_not_wait_for_what_hangs(void)
{
    begin();
    struct beside_queue *queue = beside_queue_new();

    int gate = hand_in_waiting(queue, 'a');
    hand_in(queue, 'b', -1);
    wait_for_running(1);
    gint64 before = g_get_monotonic_time();
    beside_end();
    g_assert_cmpint(g_get_monotonic_time() - before, <, DEADLINE_USEC / 2);

    g_assert_cmpstr(released, ==, "b"); /* never made */
    g_assert_cmpint(beside_start(event), ==, 0);
    close(gate); /* and what comes back late is released by the next loop */
    wait_for_released(2);
    beside_leave(queue);
    end();
}

static void without_a_loop_it_is_made_at_once(void)
{
    memset(told, 0, sizeof(told));
    memset(released, 0, sizeof(released));
    atomic_store(&n_made, 0);

    hand_in(NULL, 'a', -1);

    g_assert_cmpstr(told, ==, "a");
    g_assert_cmpstr(released, ==, "a");
}

static atomic_int other_mask;

static void look_at_mask(void *data)
{
    sigset_t mask;

    (void)data;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    atomic_store(&other_mask, sigismember(&mask, SIGTERM) && sigismember(&mask, SIGUSR2) &&
                                  sigismember(&mask, SIGRTMIN));
}

static void signals_are_for_the_loop(void)
{
    const char *what;
    struct beside_work work = {.what = "look", .work = look_at_mask};
    begin();

    beside_do(NULL, &work);
    g_assert_cmpint(beside_wait(DEADLINE_USEC, 0, &what), ==, 0);

    g_assert_true(atomic_load(&other_mask));
    end();
}

/* A socket that lingers for longer than anybody wants to wait. */
static int make_lingering(int *listener, int *peer)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 3};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    static const char data[65536];

    *listener = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(bind(*listener, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(listen(*listener, 1), ==, 0);
    getsockname(*listener, (struct sockaddr *)&address, &size);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, size), ==, 0);
    *peer = accept(*listener, NULL, NULL);
    while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
        continue;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    return fd;
}

static void close_that_lingers_holds_up_nobody(void)
{
    int listener, peer;
    begin();
    int fd = make_lingering(&listener, &peer);

    gint64 before = g_get_monotonic_time();
    beside_close(fd);
    gint64 took = g_get_monotonic_time() - before;
    wait_for_running(1);
    hand_in(NULL, 'a', -1);
    wait_for_released(1);

    g_assert_cmpint(took, <, 1000000);
    g_assert_cmpuint(beside_counters().running, ==, 1);
    close(peer); /* with data unread: reset, the close comes back */
    close(listener);
    end();
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    TEST("/beside", works_of_one_queue_keep_their_order);
    TEST("/beside", another_queue_does_not_wait);
    TEST("/beside", hung_ones_are_replaced_up_to_a_bound);
    TEST("/beside", owner_goes_while_a_call_hangs);
    TEST("/beside", what_is_left_is_still_made);
    TEST("/beside", waiting_has_a_bound);
    TEST("/beside", the_end_does_not_wait_for_what_hangs);
    TEST("/beside", without_a_loop_it_is_made_at_once);
    TEST("/beside", signals_are_for_the_loop);
    TEST("/beside", close_that_lingers_holds_up_nobody);
    return g_test_run();
}
