/*
 * Signals, as a table of what each means. All that mean something are blocked
 * and read from a descriptor.
 */
#include "signals.h"

#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#define INTERNAL_FIRST   32 /* of the C library's own, which sigaction(3) does not touch, */
#define INTERNAL_END     34
#define REALTIME_FIRST   34 /* what others call SIGRTMIN, */
#define SIGNALS          65
#define SAY_AGAIN_USEC   UINT64_C(60000000)
#define KERNEL_MASK_SIZE ((SIGNALS - 1) / 8)

enum meaning {
    MEANS_DEFAULT, /* the kernel's, or the C library's */
    MEANS_END,
    MEANS_RELOAD,
    MEANS_REEXECUTE,
    MEANS_NOTHING, /* is logged */
    MEANS_IGNORED, /* is not even looked at */
    MEANS_CHILD,   /* the host's */
};

/* The rest of the real-time signals means nothing. */
static const unsigned char meanings[REALTIME_FIRST] = {
    [SIGHUP] = MEANS_RELOAD,   [SIGINT] = MEANS_END,      [SIGQUIT] = MEANS_END,
    [SIGTERM] = MEANS_END,     [SIGPWR] = MEANS_END,      [SIGUSR1] = MEANS_REEXECUTE,
    [SIGUSR2] = MEANS_NOTHING, [SIGALRM] = MEANS_NOTHING, [SIGVTALRM] = MEANS_NOTHING,
    [SIGPROF] = MEANS_NOTHING, [SIGIO] = MEANS_NOTHING,   [SIGXCPU] = MEANS_NOTHING,
    [SIGTTIN] = MEANS_NOTHING, [SIGTTOU] = MEANS_NOTHING, [SIGSTKFLT] = MEANS_NOTHING,
    [SIGPIPE] = MEANS_IGNORED, [SIGXFSZ] = MEANS_IGNORED, [SIGCHLD] = MEANS_CHILD,
    /* SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT end it, as a fault of its own does:
     * its children live on, and the next proctord adopts them. SIGTSTP, SIGSTOP and SIGCONT are the
     * terminal's; SIGURG and SIGWINCH are nothing to anybody. */
};

/* systemd's: halt, power off, reboot, kexec, in order and at once. "docker stop" sends the first
 * of them to what is taken for a systemd. */
static bool ends_a_systemd(int above_first)
{
    return (above_first >= 3 && above_first <= 6) || (above_first >= 13 && above_first <= 16);
}

static enum meaning meaning_of(int signal)
{
    if (signal < REALTIME_FIRST)
        return (enum meaning)meanings[signal];
    return ends_a_systemd(signal - SIGRTMIN) ? MEANS_END : MEANS_NOTHING;
}

static void name_of(int signal, char name[16])
{
    const char *word = signal < REALTIME_FIRST ? sigabbrev_np(signal) : NULL;

    if (word)
        snprintf(name, 16, "SIG%.11s", word);
    else if (signal == SIGRTMIN)
        strcpy(name, "SIGRTMIN");
    else
        snprintf(name, 16, "SIGRTMIN+%d", signal - SIGRTMIN);
}

struct signals {
    struct signal_hooks hooks;
    bool had_terminal;
    uint64_t said_usec[SIGNALS]; /* when it was logged that it means nothing */
};

static bool hangups_are_ignored; /* by the program that started us; asked before it is changed */

/* ---- the start ------------------------------------------------------------------------------- */

static void do_nothing(int signal)
{
    (void)signal;
}

/* Two real-time signals are the C library's, which lets no program set them and only handles them
 * when it needs them: until then they would end us. They get the handler that the kernel knows of
 * another signal, with whatever the architecture wants to be there. A program that is executed has
 * the default again. */
static void disarm_internal(void)
{
    struct sigaction handler = {.sa_handler = do_nothing, .sa_flags = SA_RESTART}, old;
    unsigned char known[128] = {};

    if (sigaction(SIGUSR2, &handler, &old) < 0)
        return;
    if (syscall(SYS_rt_sigaction, SIGUSR2, NULL, known, KERNEL_MASK_SIZE) == 0)
        for (int signal = INTERNAL_FIRST; signal < INTERNAL_END; signal++)
            syscall(SYS_rt_sigaction, signal, known, NULL, KERNEL_MASK_SIZE);
    sigaction(SIGUSR2, &old, NULL);
}

/* Whatever the parent process has left: dispositions, masks and pending
 * signals. */
void signals_prepare(void)
{
    struct sigaction old = {};
    sigset_t blocked;

    sigaction(SIGHUP, NULL, &old);
    hangups_are_ignored = old.sa_handler == SIG_IGN;
    sigemptyset(&blocked);
    for (int number = 1; number < SIGNALS; number++) {
        enum meaning meaning = meaning_of(number);
        if (number >= INTERNAL_FIRST && number < INTERNAL_END)
            continue;
        if (number ==
            SIGHUP) /* is blocked all the same, and the program after us has to know, too */
            sigaddset(&blocked, number);
        if (number == SIGHUP)
            continue;
        /* A process that ignores SIGCHLD has no children to wait for. */
        signal(number, meaning == MEANS_IGNORED ? SIG_IGN : SIG_DFL);
        if (meaning != MEANS_IGNORED && meaning != MEANS_DEFAULT)
            sigaddset(&blocked, number);
    }
    disarm_internal();
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* SIGHUP from the kernel means that the terminal is gone; from anyone else it
 * means reload. */
static void hang_up(struct signals *signals, const struct signalfd_siginfo *info)
{
    bool kernels = info->ssi_code == SI_KERNEL;

    if (!kernels && !(signals->had_terminal && !has_terminal())) {
        signals->hooks.reload(signals->hooks.userdata);
        return;
    }
    signals->had_terminal = false;
    if (hangups_are_ignored)
        log_print(LOG_NOTICE,
                  "the terminal is gone; SIGHUP was ignored at startup, so proctord continues");
    else
        signals->hooks.end(signals->hooks.userdata, "SIGHUP (the terminal is gone)");
}

/* At most once in a while per signal. */
static void say_that_it_means_nothing(struct signals *signals, sd_event *event,
                                      const struct signalfd_siginfo *info, const char *name)
{
    uint64_t now = 0, *said = &signals->said_usec[info->ssi_signo];

    sd_event_now(event, CLOCK_MONOTONIC, &now);
    if (*said > 0 && now - *said < SAY_AGAIN_USEC)
        return;
    *said = now;
    log_print(LOG_NOTICE, "%s, sent by PID %u (uid %u), is ignored: proctord does not use it", name,
              info->ssi_pid, info->ssi_uid);
}

/* Exhaustive. */
static int signal_came(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct signals *signals = userdata;
    struct signal_hooks *hooks = &signals->hooks;
    char name[16];

    name_of((int)info->ssi_signo, name);
    switch (meaning_of((int)info->ssi_signo)) {
    case MEANS_END:
        hooks->end(hooks->userdata, name);
        break;
    case MEANS_RELOAD:
        hang_up(signals, info);
        break;
    case MEANS_REEXECUTE:
        hooks->reexecute(hooks->userdata);
        break;
    case MEANS_NOTHING:
        say_that_it_means_nothing(signals, sd_event_source_get_event(source), info, name);
        break;
    case MEANS_DEFAULT:
    case MEANS_IGNORED:
    case MEANS_CHILD:
        break;
    }
    return 0;
}

/* Before other events. */
static int listen_to(sd_event *event, int signal, struct signals *signals)
{
    sd_event_source *source = NULL;
    int r = sd_event_add_signal(event, &source, signal, signal_came, signals);

    if (r >= 0)
        r = sd_event_source_set_priority(source, SIGNALS_PRIORITY);
    if (r >= 0)
        r = sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
    return r;
}

/* glibc's own signals are left alone. */
int signals_listen(sd_event *event, const struct signal_hooks *hooks, struct signals **signals)
{
    struct signals *fresh = calloc(1, sizeof(*fresh));
    int r = fresh ? 0 : -ENOMEM;

    if (r < 0)
        return r;
    fresh->hooks = *hooks;
    fresh->had_terminal = has_terminal();
    for (int signal = 1; r >= 0 && signal < SIGNALS; signal++) {
        enum meaning meaning = meaning_of(signal);
        if (meaning == MEANS_DEFAULT || meaning == MEANS_IGNORED || meaning == MEANS_CHILD ||
            (signal >= INTERNAL_FIRST && signal < INTERNAL_END))
            continue;
        r = listen_to(event, signal, fresh);
    }
    if (r < 0) {
        free(fresh);
        return r;
    }
    *signals = fresh;
    return 0;
}

void signals_free(struct signals *signals)
{
    free(signals);
}
