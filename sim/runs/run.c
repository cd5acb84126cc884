/*
 * One run, protected from a core that stops at an assertion or does not come to
 * an end: both are caught and become the verdict.
 */
#include "runs/run.h"

#include "runs/play.h"
#include "runs/swarm.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#define ENDLESS_SECONDS 10

static sigjmp_buf back;
static volatile sig_atomic_t raised, guarding;

static void catch_signal(int number)
{
    if (!guarding) { /* not the core's: ours */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    raised = number;
    siglongjmp(back, 1);
}

static void set_handlers(void)
{
    static const int signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGALRM};
    struct sigaction action = {.sa_handler = catch_signal, .sa_flags = SA_NODEFER};
    static bool done;

    for (size_t i = 0; !done && i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    done = true;
}

static void set_alarm(unsigned seconds)
{
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_sec = seconds}, NULL);
}

/* Returns false if the run was ended from outside. `seconds` of real time are
 * allowed, 0 is any. */
bool run_guarded(struct world **world, void (*drive)(void *userdata), void *userdata,
                 unsigned seconds)
{
    set_handlers();
    set_alarm(seconds);
    volatile bool came_back = sigsetjmp(back, 1) == 0;
    guarding = came_back;
    if (came_back)
        drive(userdata);
    guarding = 0;
    set_alarm(0);
    if (came_back || !*world)
        return came_back;
    if (raised == SIGALRM)
        world_fail(*world, CHECK_ENDLESS, "an input, or the run, does not end");
    else
        world_fail(*world, CHECK_INVARIANT, "the core stopped at an assertion (%s)",
                   strsignal(raised));
    return false;
}

struct driven {
    const struct run *run;
    struct world *world;
};

static void drive(void *userdata)
{
    struct driven *driven = userdata;
    const struct run *run = driven->run;

    if (run->subject) {
        scenario_run(run, &driven->world);
        return;
    }
    swarm_run(run, &driven->world);
}

/* Fills in the result, whatever happened. */
void run_once(const struct run *run, struct result *result)
{
    struct driven driven = {.run = run};

    *result = (struct result){};
    bool whole = run_guarded(&driven.world, drive, &driven, ENDLESS_SECONDS);
    if (!driven.world) {
        result->verdict = (struct verdict){.check = CHECK_INVARIANT};
        strcpy(result->verdict.text, "the world could not be made");
        return;
    }
    result->verdict = driven.world->verdict;
    result->hash = whole ? world_hash(driven.world) : driven.world->hash;
    result->inputs = driven.world->inputs;
    result->simulated_nsec = driven.world->now_nsec - WORLD_START_NSEC;
    memcpy(result->marks, driven.world->marks, sizeof(result->marks));
}
