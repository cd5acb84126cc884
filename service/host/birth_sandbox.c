#include "host/birth_sandbox.h"

#include "host/plan.h"
#include "host/sandbox.h"
#include "system/number.h"
#include "system/open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/nsfs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 2048
#define TEXT_MAX      ((size_t)256 << 10) /* of the paths in them */
#define SAID_MAX      2048
#define INFO          3 /* the descriptor on which bubblewrap says the PID of what it runs */
#define ECHO          '\1'
#define WAITER        "/bin/cat" /* it ends when its input does, and says when it runs */

static char *arguments[ARGUMENTS_MAX + 8];
static char texts[TEXT_MAX];

/* ---- the namespaces -------------------------------------------------------------------------- */

static int open_namespace(pid_t pid, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool is_own(int fd, const char *name)
{
    char path[64];
    struct stat theirs, own;

    snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
    return fstat(fd, &theirs) == 0 && stat(path, &own) == 0 && theirs.st_ino == own.st_ino &&
           theirs.st_dev == own.st_dev;
}

static bool is_same(int fd, int other)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

/* One to enter, in this order; not if it is our own. */
struct step {
    int fd, kind;
    bool other;
};

/* An unprivileged bubblewrap may have two user namespaces, one below the other: the mounts belong
 * to the upper one, and the users are in the lower one as they are outside. What is our own is
 * found out before anything changes. */
static int enter_all(int mounts, int network, int users, bool *has_user)
{
    int above = ioctl(mounts, NS_GET_USERNS);

    if (above < 0)
        return -errno;
    bool upper = !is_own(above, "user");
    const struct step steps[] = {
        {above, CLONE_NEWUSER, upper},
        {mounts, CLONE_NEWNS, !is_own(mounts, "mnt")},
        {network, CLONE_NEWNET, !is_own(network, "net")},
        {users, CLONE_NEWUSER, upper ? !is_same(users, above) : !is_own(users, "user")}};
    int r = 0;

    *has_user = upper || steps[3].other;
    for (size_t i = 0; i < 4 && r == 0; i++)
        r = steps[i].other && setns(steps[i].fd, steps[i].kind) < 0 ? -errno : 0;
    close(above);
    return r;
}

static int join(pid_t pid, bool *has_user_namespace)
{
    int all[] = {open_namespace(pid, "mnt"), open_namespace(pid, "net"),
                 open_namespace(pid, "user")};
    bool there = pid > 0 && all[0] >= 0 && all[1] >= 0 && all[2] >= 0;
    int r = there ? enter_all(all[0], all[1], all[2], has_user_namespace) : -ESRCH;

    for (size_t i = 0; i < 3; i++)
        if (all[i] >= 0)
            close(all[i]);
    return r;
}

/* ---- what bubblewrap is told ------------------------------------------------------------------
 */

struct filling {
    size_t n, used;
    char *why;
    size_t why_size;
    const char *real; /* of the path of the condition */
};

static int add(struct filling *filling, const char *word)
{
    if (filling->n == ARGUMENTS_MAX)
        return -E2BIG;
    arguments[filling->n++] = (char *)(uintptr_t)word;
    return 0;
}

static int blame(struct filling *filling, const char *path, int error)
{
    snprintf(filling->why, filling->why_size, "%s: %s", path,
             open_regular_explain(AT_FDCWD, path, error));
    return error;
}

/* The path without links, which no other user can have led elsewhere. */
static int find_real(struct filling *filling, const char *path, mode_t *mode)
{
    char link[64];
    struct stat status;
    int fd = open_place_guarded(path);

    if (fd < 0)
        return fd;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, texts + filling->used, TEXT_MAX - filling->used - 1);
    int r = n < 0 || fstat(fd, &status) < 0 ? -errno : 0;
    close(fd);
    if (r < 0)
        return r;
    if (filling->used + (size_t)n + 2 >= TEXT_MAX)
        return -E2BIG;
    texts[filling->used + (size_t)n] = '\0';
    filling->real = texts + filling->used;
    filling->used += (size_t)n + 1;
    *mode = status.st_mode;
    return 0;
}

/* A text of its own for each. */
static int add_way(struct filling *filling)
{
    const char *real = filling->real;
    int r = 0;

    for (size_t i = 1; real[i] && r == 0; i++) {
        if (real[i] != '/')
            continue;
        if (filling->used + i + 1 >= TEXT_MAX)
            return -E2BIG;
        char *folder = texts + filling->used;
        memcpy(folder, real, i);
        folder[i] = '\0';
        filling->used += i + 1;
        r = add(filling, "--dir");
        if (r == 0)
            r = add(filling, folder);
    }
    return r;
}

/* Returns 1 if it holds, 0 if not, or a negative errno. */
static int examine(struct filling *filling, char condition, const char *path)
{
    mode_t mode;
    int r = find_real(filling, path, &mode);

    if (condition != SANDBOX_MUST && (r == -ENOENT || r == -ENOTDIR))
        return 0;
    if (r < 0)
        return blame(filling, path, r);
    if (condition == SANDBOX_IF_DIR || condition == SANDBOX_IF_FILE)
        return S_ISDIR(mode) == (condition == SANDBOX_IF_DIR);
    return 1;
}

static int fill(struct filling *filling, char *const *words)
{
    bool holds = true;
    int r = 0;

    for (; *words && r >= 0; words++) {
        const char *word = *words;
        if (strcmp(word, SANDBOX_END) == 0)
            holds = true;
        else if (strcmp(word, SANDBOX_WAY) == 0)
            r = holds ? add_way(filling) : 0;
        else if (word[0] != SANDBOX_WORD && strcmp(word, SANDBOX_REAL) != 0)
            holds = (r = examine(filling, word[0], word + 1)) > 0;
        else if (holds)
            r = add(filling, word[0] == SANDBOX_WORD ? word + 1 : filling->real);
    }
    return r < 0 ? r : 0;
}

/* ---- bubblewrap ------------------------------------------------------------------------------ */

struct ends {
    int in[2], out[2]; /* of what waits in the sandbox */
};

/* In the process that becomes it. Its descriptors may be among those that it gets. */
__attribute__((noreturn)) static void run(const char *program, const struct ends *ends)
{
    char *none[] = {NULL};
    int in = fcntl(ends->in[0], F_DUPFD, INFO + 1), out = fcntl(ends->out[1], F_DUPFD, INFO + 1);

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 ||
        dup2(out, INFO) < 0)
        _exit(127);
    syscall(SYS_close_range, INFO + 1, ~0U, 0);
    execve(program, arguments, none);
    dprintf(2, "%s: %s%s", program, strerror(errno),
            errno == ENOENT ? " (is bubblewrap installed?)" : "");
    _exit(127);
}

static void close_both(int ends[2])
{
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

/* All that comes, up to the echo. Returns whether it came. */
static bool listen_for_echo(int fd, char said[SAID_MAX])
{
    size_t n = 0;

    for (;;) {
        ssize_t got = read(fd, said + n, SAID_MAX - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
        said[n] = '\0';
        if (said[n - 1] == ECHO)
            return true;
        if (n == SAID_MAX - 1)
            n = SAID_MAX / 2; /* the beginning is enough */
    }
    said[n] = '\0';
    return false;
}

/* 0: it does not say it. */
static pid_t pid_in(const char *said)
{
    static const char name[] = "\"child-pid\":";
    const char *text = strstr(said, name);
    uint64_t pid;

    if (!text)
        return 0;
    text += strlen(name);
    text += strspn(text, " ");
    return number_take(&text, &pid) == 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* What it says about itself stands before what it complains of, which is one line. */
static void explain(const char *said, char *why, size_t size)
{
    const char *end = strstr(said, "}\n");
    const char *text = end ? end + 2 : said;

    snprintf(why, size, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Its exit has no signal, which would be pending in the program. */
static pid_t begin(const char *program, const struct ends *ends)
{
    long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);

    if (pid == 0)
        run(program, ends);
    return pid < 0 ? -errno : (pid_t)pid;
}

static int wait_and_join(const struct ends *ends, char *why, size_t size, bool *has_user)
{
    char said[SAID_MAX], echo = ECHO;

    if (write(ends->in[1], &echo, 1) < 0) {
        /* it has ended by now, and has said why */
    }
    if (listen_for_echo(ends->out[0], said))
        return join(pid_in(said), has_user);
    explain(said, why, size);
    return -EPERM;
}

static int enter(const char *program, char *why, size_t size, bool *has_user)
{
    struct ends ends = {{-1, -1}, {-1, -1}};
    int r = pipe2(ends.in, O_CLOEXEC) < 0 || pipe2(ends.out, O_CLOEXEC) < 0 ? -errno : 0;
    pid_t pid = r < 0 ? r : begin(program, &ends);

    r = pid < 0 ? pid : 0;
    if (r == 0) {
        close(ends.in[0]);
        close(ends.out[1]);
        ends.in[0] = ends.out[1] = -1;
        r = wait_and_join(&ends, why, size, has_user);
    }
    close_both(ends.in); /* what waits in there ends */
    close_both(ends.out);
    while (pid > 0 && syscall(SYS_wait4, pid, NULL, __WALL, NULL) < 0 && errno == EINTR)
        ;
    return r;
}

static int make(char *const *words, char *why, size_t size, bool *has_user_namespace)
{
    struct filling filling = {.why = why, .why_size = size};
    const char *program = words[0];
    static const char *const first[] = {"bwrap", "--info-fd", "3", NULL};
    int r = 0;

    why[0] = '\0';
    for (size_t i = 0; first[i] && r == 0; i++)
        r = add(&filling, first[i]);
    if (r == 0)
        r = fill(&filling, words + 1);
    if (r < 0)
        return r;
    arguments[filling.n++] = (char *)(uintptr_t) "--";
    arguments[filling.n++] = (char *)(uintptr_t)WAITER;
    arguments[filling.n] = NULL;
    return enter(program, why, size, has_user_namespace);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* In a user namespace it has all capabilities, over what belongs to that namespace. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {};

    for (unsigned long i = 0; i < 64; i++)
        prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
    return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int birth_sandbox_enter(const struct plan *plan, char *why, size_t size)
{
    bool has_user = false;
    int r = plan->joined > 0 ? join((pid_t)plan->joined, &has_user)
                             : make(plan->sandbox.list, why, size, &has_user);

    return r == 0 && has_user && !(plan->flags & PLAN_SET_CAPABILITIES) ? drop_capabilities() : r;
}

int birth_sandbox_filter(const struct plan *plan)
{
    struct sock_fprog program = {.len = (unsigned short)plan->n_filter,
                                 .filter = plan->filter.filter};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}
