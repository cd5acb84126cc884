#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP 4
#endif

#define TEXT_MAX    4096
#define TRIES       100 /* until what is expected has happened */
#define TRIES_OF_NO 20  /* until it is believed that nothing happens */

/* A line that is being carried out. */
struct step {
    const struct calls *calls;
    void *puppet;
    int n;
    char **words;
    FILE *out;
};

const char *step_error(int negative)
{
    return strerrorname_np(-negative);
}

int step_signal(const char *name)
{
    for (int signal = 1; signal < 32; signal++)
        if (strcmp(sigabbrev_np(signal), name) == 0)
            return signal;
    return strncmp(name, "RT", 2) == 0 ? SIGRTMIN + atoi(name + 2) : 0;
}

static const char *word(const struct step *step, int i)
{
    return i < step->n ? step->words[i] : "";
}

static int number(const struct step *step, int i)
{
    return (int)strtol(word(step, i), NULL, 0);
}

static bool has(const struct step *step, const char *what)
{
    for (int i = 1; i < step->n; i++)
        if (strcmp(step->words[i], what) == 0)
            return true;
    return false;
}

static void say(const struct step *step, int r)
{
    if (r < 0)
        fputs(step_error(r), step->out);
    else
        fputs("ok", step->out);
}

static void say_number(const struct step *step, long r)
{
    if (r < 0)
        fputs(step_error((int)r), step->out);
    else
        fprintf(step->out, "%ld", r);
}

static void say_process(const struct step *step, int r)
{
    if (r < 0)
        fputs(step_error(r), step->out);
    else
        fprintf(step->out, "<%d>", r);
}

/* ---- processes ------------------------------------------------------------------------------- */

static void say_end(const struct step *step, const siginfo_t *info)
{
    if (info->si_pid == 0)
        fputs("would wait", step->out);
    else if (info->si_code == CLD_EXITED)
        fprintf(step->out, "<%d> exited %d", info->si_pid, info->si_status);
    else
        fprintf(step->out, "<%d> %s %s", info->si_pid,
                info->si_code == CLD_STOPPED     ? "stopped"
                : info->si_code == CLD_CONTINUED ? "continued"
                                                 : "killed",
                sigabbrev_np(info->si_status));
}

/* wait all|PID|group PID|pidfd FD [stopped] [continued] [nowait] */
static void take_wait(const struct step *step)
{
    idtype_t type = P_PID;
    int id = number(step, 1), options = WNOHANG | (has(step, "nowait") ? WNOWAIT : 0);
    siginfo_t info;

    if (strcmp(word(step, 1), "all") == 0)
        type = P_ALL;
    else if (strcmp(word(step, 1), "group") == 0)
        type = P_PGID, id = number(step, 2);
    else if (strcmp(word(step, 1), "pidfd") == 0)
        type = P_PIDFD, id = number(step, 2);
    options |= has(step, "stopped") ? WSTOPPED : has(step, "continued") ? WCONTINUED : WEXITED;
    for (unsigned tries = 0;; tries++) {
        memset(&info, 0, sizeof(info));
        int r = step->calls->wait(step->puppet, type, (id_t)id, options, &info);
        if (r < 0)
            return say(step, r);
        if (info.si_pid != 0 || step->calls->patience(step->puppet, tries) < 0 ||
            tries == TRIES_OF_NO)
            return say_end(step, &info);
    }
}

static void take_kill(const struct step *step)
{
    bool group = strcmp(word(step, 1), "group") == 0;
    int pid = number(step, group ? 2 : 1);

    say(step, step->calls->kill(step->puppet, group ? -pid : pid,
                                step_signal(word(step, group ? 3 : 2))));
}

static void take_pidfd_poll(const struct step *step)
{
    int events = 0;

    for (unsigned tries = 0; tries < TRIES_OF_NO && events == 0; tries++) {
        events = step->calls->poll(step->puppet, number(step, 1));
        if (events == 0 && step->calls->patience(step->puppet, tries) < 0)
            break;
    }
    fprintf(step->out, "%s%s", events & EPOLLIN ? "ended" : "goes on",
            events & EPOLLHUP ? " and reaped" : "");
}

static void take_act(const struct step *step, enum disposition disposition)
{
    int flags =
        (has(step, "nocldstop") ? SA_NOCLDSTOP : 0) | (has(step, "nocldwait") ? SA_NOCLDWAIT : 0);

    say(step, step->calls->act(step->puppet, step_signal(word(step, 1)), disposition, flags));
}

static void take_signal(const struct step *step)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    int r = step->calls->take(step->puppet, step_signal(word(step, 1)), &info);
    if (r < 0)
        return say(step, r);
    fprintf(step->out, "from <%d>%s", info.si_pid,
            info.si_code == SI_USER       ? " by kill"
            : info.si_code == CLD_EXITED  ? " exited"
            : info.si_code == CLD_KILLED  ? " killed"
            : info.si_code == CLD_STOPPED ? " stopped"
                                          : "");
}

static bool process_step(const struct step *step)
{
    const struct calls *calls = step->calls;
    void *puppet = step->puppet;
    const char *verb = word(step, 0);

    if (strcmp(verb, "wait") == 0)
        take_wait(step);
    else if (strcmp(verb, "kill") == 0)
        take_kill(step);
    else if (strcmp(verb, "pidfd") == 0)
        say_number(step, calls->pidfd_open(puppet, number(step, 1)));
    else if (strcmp(verb, "pidfd-signal") == 0)
        say(step, calls->pidfd_signal(puppet, number(step, 1), step_signal(word(step, 2)),
                                      has(step, "group") ? PIDFD_SIGNAL_PROCESS_GROUP : 0));
    else if (strcmp(verb, "pidfd-poll") == 0)
        take_pidfd_poll(step);
    else if (strcmp(verb, "setsid") == 0)
        say_process(step, calls->setsid(puppet));
    else if (strcmp(verb, "setpgid") == 0)
        say(step, calls->setpgid(puppet, number(step, 1), number(step, 2)));
    else if (strcmp(verb, "getpgid") == 0)
        say_process(step, calls->getpgid(puppet, number(step, 1)));
    else if (strcmp(verb, "getsid") == 0)
        say_process(step, calls->getsid(puppet, number(step, 1)));
    else if (strcmp(verb, "getppid") == 0)
        say_process(step, calls->getppid(puppet));
    else if (strcmp(verb, "subreaper") == 0)
        say(step, calls->subreaper(puppet, number(step, 1)));
    else if (strcmp(verb, "death-signal") == 0)
        say(step, calls->death_signal(puppet, step_signal(word(step, 1))));
    else
        return false;
    return true;
}

static bool signal_step(const struct step *step)
{
    const struct calls *calls = step->calls;
    void *puppet = step->puppet;
    const char *verb = word(step, 0);
    int signal = step_signal(word(step, 1));

    if (strcmp(verb, "ignore") == 0)
        take_act(step, IGNORED);
    else if (strcmp(verb, "default") == 0)
        take_act(step, BY_DEFAULT);
    else if (strcmp(verb, "handle") == 0)
        take_act(step, HANDLED);
    else if (strcmp(verb, "block") == 0)
        say(step, calls->mask(puppet, SIG_BLOCK, signal));
    else if (strcmp(verb, "unblock") == 0)
        say(step, calls->mask(puppet, SIG_UNBLOCK, signal));
    else if (strcmp(verb, "is-pending") == 0)
        say_number(step, calls->is_pending(puppet, signal));
    else if (strcmp(verb, "take") == 0)
        take_signal(step);
    else if (strcmp(verb, "handled") == 0)
        say_number(step, calls->handled(puppet, signal));
    else
        return false;
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int flag;
} open_flags[] = {{"read", O_RDONLY},   {"write", O_WRONLY},     {"both", O_RDWR},
                  {"create", O_CREAT},  {"excl", O_EXCL},        {"trunc", O_TRUNC},
                  {"append", O_APPEND}, {"folder", O_DIRECTORY}, {"nofollow", O_NOFOLLOW},
                  {"path", O_PATH},     {"nonblock", O_NONBLOCK}};

/* open PATH FLAG... [MODE] */
static void take_open(const struct step *step)
{
    int flags = O_CLOEXEC;
    mode_t mode = 0644;

    for (int i = 2; i < step->n; i++) {
        for (size_t k = 0; k < sizeof(open_flags) / sizeof(open_flags[0]); k++)
            if (strcmp(step->words[i], open_flags[k].name) == 0)
                flags |= open_flags[k].flag;
        if (step->words[i][0] == '0')
            mode = (mode_t)strtol(step->words[i], NULL, 8);
    }
    say_number(step, step->calls->open(step->puppet, word(step, 1), flags, mode));
}

static void say_text(const struct step *step, const char *text, ssize_t n)
{
    if (n < 0) {
        fputs(step_error((int)n), step->out);
        return;
    }
    fputc('"', step->out);
    for (ssize_t i = 0; i < n; i++) {
        if (text[i] == '\n' || text[i] == '\0')
            fputc('|', step->out);
        else
            fputc(text[i], step->out);
    }
    fputc('"', step->out);
}

static void take_read(const struct step *step, bool at)
{
    char text[TEXT_MAX];
    size_t size = (size_t)number(step, 2);

    if (size == 0 || size > sizeof(text))
        size = sizeof(text);
    say_text(step, text,
             at ? step->calls->read_at(step->puppet, number(step, 1), text, size, number(step, 3))
                : step->calls->read(step->puppet, number(step, 1), text, size));
}

static void take_write(const struct step *step, bool at)
{
    const char *text = word(step, 2);

    say_number(step, at ? step->calls->write_at(step->puppet, number(step, 1), text, strlen(text),
                                                number(step, 3))
                        : step->calls->write(step->puppet, number(step, 1), text, strlen(text)));
}

/* The content of a file in one go: cat PATH */
static ssize_t content(const struct step *step, const char *path, char text[TEXT_MAX])
{
    const struct calls *calls = step->calls;
    int fd = calls->open(step->puppet, path, O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    ssize_t n = calls->read(step->puppet, fd, text, TEXT_MAX - 1);
    calls->close(step->puppet, fd);
    if (n >= 0)
        text[n] = '\0';
    return n;
}

static void take_cat(const struct step *step)
{
    char text[TEXT_MAX];

    say_text(step, text, content(step, word(step, 1), text));
}

static void take_size_of(const struct step *step)
{
    char text[TEXT_MAX];
    ssize_t n = content(step, word(step, 1), text);

    fputs(n < 0 ? step_error((int)n) : n == 0 ? "nothing" : "something", step->out);
}

/* put PATH TEXT: opens, writes, closes */
static void take_put(const struct step *step)
{
    const struct calls *calls = step->calls;
    int fd = calls->open(step->puppet, word(step, 1), O_WRONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return say(step, fd);
    ssize_t n = calls->write(step->puppet, fd, word(step, 2), strlen(word(step, 2)));
    calls->close(step->puppet, fd);
    say(step, n < 0 ? (int)n : 0);
}

/* A blank in what is looked for is written as "_". */
static bool says(const char *text, const char *wanted)
{
    for (; *text; text++) {
        size_t i = 0;
        while (wanted[i] && (text[i] == wanted[i] || (wanted[i] == '_' && text[i] == ' ')))
            i++;
        if (wanted[i] == '\0')
            return true;
    }
    return false;
}

/* await PATH WORD: until the file says it */
static void take_await(const struct step *step)
{
    char text[TEXT_MAX];

    for (unsigned tries = 0; tries < TRIES; tries++) {
        ssize_t n = content(step, word(step, 1), text);
        if (n < 0)
            return say(step, (int)n);
        if (says(text, word(step, 2)))
            return say(step, 0);
        if (step->calls->patience(step->puppet, tries) < 0)
            break;
    }
    fputs("never", step->out);
}

static const char *kind_of(mode_t mode)
{
    return S_ISREG(mode)    ? "file"
           : S_ISDIR(mode)  ? "folder"
           : S_ISLNK(mode)  ? "link"
           : S_ISFIFO(mode) ? "fifo"
                            : "other";
}

static void take_stat(const struct step *step)
{
    struct stat status;
    int r = step->calls->stat(step->puppet, word(step, 1),
                              has(step, "nofollow") ? AT_SYMLINK_NOFOLLOW : 0, &status);

    if (r < 0)
        return say(step, r);
    fprintf(step->out, "%s %04o %u:%u", kind_of(status.st_mode), status.st_mode & 07777,
            status.st_uid, status.st_gid);
    if (!S_ISDIR(status.st_mode))
        fprintf(step->out, " %ld bytes, %ld names", (long)status.st_size, (long)status.st_nlink);
}

static void take_lock(const struct step *step)
{
    const char *how = word(step, 2);
    int operation = strcmp(how, "ex") == 0 ? LOCK_EX : strcmp(how, "sh") == 0 ? LOCK_SH : LOCK_UN;

    say(step, step->calls->lock(step->puppet, number(step, 1), operation | LOCK_NB));
}

static void take_poll(const struct step *step)
{
    int events = 0;

    for (unsigned tries = 0; tries < TRIES_OF_NO && !(events & EPOLLPRI); tries++) {
        events = step->calls->poll(step->puppet, number(step, 1));
        if (step->calls->patience(step->puppet, tries) < 0)
            break;
    }
    fprintf(step->out, "%s%s%s", events & EPOLLIN ? "in " : "", events & EPOLLOUT ? "out " : "",
            events & EPOLLPRI ? "pri" : "");
}

static void take_list(const struct step *step, bool link)
{
    char text[TEXT_MAX];
    int r = link ? step->calls->readlink(step->puppet, word(step, 1), text, sizeof(text))
                 : step->calls->list(step->puppet, word(step, 1), text, sizeof(text));

    say_text(step, text, r < 0 || link ? r : (int)strlen(text));
}

static bool open_file_step(const struct step *step)
{
    const struct calls *calls = step->calls;
    void *puppet = step->puppet;
    const char *verb = word(step, 0);

    if (strcmp(verb, "open") == 0)
        take_open(step);
    else if (strcmp(verb, "close") == 0)
        say(step, calls->close(puppet, number(step, 1)));
    else if (strcmp(verb, "read") == 0 || strcmp(verb, "pread") == 0)
        take_read(step, *verb == 'p');
    else if (strcmp(verb, "write") == 0 || strcmp(verb, "pwrite") == 0)
        take_write(step, *verb == 'p');
    else if (strcmp(verb, "seek") == 0)
        say_number(step, calls->seek(puppet, number(step, 1), number(step, 2), SEEK_SET));
    else if (strcmp(verb, "truncate") == 0)
        say(step, calls->truncate(puppet, number(step, 1), number(step, 2)));
    else if (strcmp(verb, "fsync") == 0)
        say(step, calls->sync(puppet, number(step, 1)));
    else if (strcmp(verb, "flock") == 0)
        take_lock(step);
    else if (strcmp(verb, "poll") == 0)
        take_poll(step);
    else
        return false;
    return true;
}

static unsigned rename_flags(const struct step *step)
{
    return (has(step, "noreplace") ? RENAME_NOREPLACE : 0) |
           (has(step, "exchange") ? RENAME_EXCHANGE : 0);
}

static bool name_step(const struct step *step)
{
    const struct calls *calls = step->calls;
    void *puppet = step->puppet;
    const char *verb = word(step, 0), *path = word(step, 1), *second = word(step, 2);
    mode_t mode = (mode_t)strtol(second, NULL, 8);

    if (strcmp(verb, "mkdir") == 0)
        say(step, calls->mkdir(puppet, path, *second ? mode : 0755));
    else if (strcmp(verb, "rmdir") == 0)
        say(step, calls->rmdir(puppet, path));
    else if (strcmp(verb, "unlink") == 0)
        say(step, calls->unlink(puppet, path));
    else if (strcmp(verb, "link") == 0)
        say(step, calls->link(puppet, path, second));
    else if (strcmp(verb, "symlink") == 0)
        say(step, calls->symlink(puppet, path, second));
    else if (strcmp(verb, "rename") == 0)
        say(step, calls->rename(puppet, path, second, rename_flags(step)));
    else if (strcmp(verb, "mkfifo") == 0)
        say(step, calls->mkfifo(puppet, path, *second ? mode : 0644));
    else if (strcmp(verb, "chmod") == 0)
        say(step, calls->chmod(puppet, path, mode));
    else if (strcmp(verb, "chown") == 0)
        say(step, calls->chown(puppet, path, (uid_t)number(step, 2), (gid_t)number(step, 3)));
    else if (strcmp(verb, "chdir") == 0)
        say(step, calls->chdir(puppet, path));
    else if (strcmp(verb, "access") == 0)
        say(step, calls->access(puppet, path, number(step, 2)));
    else if (strcmp(verb, "setuid") == 0)
        say(step, calls->setuid(puppet, (uid_t)number(step, 1), (gid_t)number(step, 1)));
    else if (strcmp(verb, "umask") == 0)
        say(step, calls->umask(puppet, (mode_t)strtol(path, NULL, 8)));
    else
        return false;
    return true;
}

static bool content_step(const struct step *step)
{
    const char *verb = word(step, 0);

    if (strcmp(verb, "cat") == 0)
        take_cat(step);
    else if (strcmp(verb, "size-of") == 0)
        take_size_of(step);
    else if (strcmp(verb, "put") == 0)
        take_put(step);
    else if (strcmp(verb, "await") == 0)
        take_await(step);
    else if (strcmp(verb, "stat") == 0)
        take_stat(step);
    else if (strcmp(verb, "list") == 0)
        take_list(step, false);
    else if (strcmp(verb, "readlink") == 0)
        take_list(step, true);
    else
        return false;
    return true;
}

/* ---- /proc ----------------------------------------------------------------------------------- */

/* A field of /proc/PID/stat behind the name: stat-field PID N */
static void take_stat_field(const struct step *step)
{
    char text[TEXT_MAX], path[64];

    snprintf(path, sizeof(path), "/proc/%s/stat", word(step, 1));
    ssize_t n = content(step, path, text);
    if (n < 0)
        return say(step, (int)n);
    char *field = strrchr(text, ')') + 2, *rest = NULL;
    field = strtok_r(field, " \n", &rest);
    for (int i = 3; i < number(step, 2) && field; i++)
        field = strtok_r(NULL, " \n", &rest);
    if (number(step, 2) >= 4 && number(step, 2) <= 6)
        fprintf(step->out, "<%s>", field ? field : "");
    else
        fputs(field && strcmp(field, "R") != 0 ? field : "S",
              step->out); /* a moment's difference */
}

/* A line of /proc/PID/status: status-line PID Uid: */
static void take_status_line(const struct step *step)
{
    char text[TEXT_MAX], path[64];

    snprintf(path, sizeof(path), "/proc/%s/status", word(step, 1));
    ssize_t n = content(step, path, text);
    if (n < 0)
        return say(step, (int)n);
    const char *line = strstr(text, word(step, 2));
    say_text(step, line ? line : "", line ? (ssize_t)strcspn(line, "\n") : 0);
}

/* children PID TID */
static void take_children(const struct step *step)
{
    char text[TEXT_MAX], path[64], *rest = NULL;

    snprintf(path, sizeof(path), "/proc/%s/task/%s/children", word(step, 1), word(step, 2));
    ssize_t n = content(step, path, text);
    if (n < 0)
        return say(step, (int)n);
    for (char *pid = strtok_r(text, " ", &rest); pid; pid = strtok_r(NULL, " ", &rest))
        fprintf(step->out, "<%s> ", pid);
}

static bool proc_step(const struct step *step)
{
    const char *verb = word(step, 0);

    if (strcmp(verb, "stat-field") == 0)
        take_stat_field(step);
    else if (strcmp(verb, "status-line") == 0)
        take_status_line(step);
    else if (strcmp(verb, "children") == 0)
        take_children(step);
    else
        return false;
    return true;
}

void step_take(const struct calls *calls, void *puppet, int n_words, char *words[], FILE *out)
{
    struct step step = {calls, puppet, n_words, words, out};

    if (!process_step(&step) && !signal_step(&step) && !open_file_step(&step) &&
        !name_step(&step) && !content_step(&step) && !proc_step(&step))
        fprintf(out, "there is no step \"%s\"", word(&step, 0));
}
