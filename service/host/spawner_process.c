/*
 * The spawner itself. It has one thread, no allocator, and nothing that a child
 * could inherit by mistake: what a child should have by default is reset here
 * once, and each birth only sets what its plan says.
 */
#include "host/spawner_process.h"

#include "host/birth.h"
#include "system/number.h"
#include "host/plan.h"
#include "host/starts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE     ((size_t)64 << 10)
#define SLOTS_MAX      32768
#define TIMERSLACK     50000 /* nanoseconds: the kernel's own default */
#define PROCESSORS_MAX 8192
#define USE_LEAST      0x20 /* SCHED_FLAG_UTIL_CLAMP_MIN and _MAX */
#define USE_MOST       0x40

/* Those that a child may get are taken, so that none that comes along with a plan is among them. */
#define FIRST_FREE (3 + CHILD_DESCRIPTORS_MAX + 2)

/* One start under way: all that its child may still look at. */
struct slot {
    int tid; /* the kernel makes it 0 when the child needs the rest no more */
    struct birth birth;
    char *stack;
    void *large; /* a plan that came as a memory file */
    size_t large_size;
    char plan[PLAN_INLINE] __attribute__((aligned(16)));
};

struct spawner_process {
    int socket;
    void *starts;
    struct slot **slots;
    size_t n_slots;
};

/* What came with one message. */
struct parcel {
    size_t size;
    int fds[PLAN_DESCRIPTORS_MAX];
    size_t n_fds;
    bool cut; /* there was no room for all of the descriptors */
};

/* ---- what all children get ------------------------------------------------------------------- */

/* Blocked, so that nothing but SIGKILL and SIGSTOP reaches it; and nothing is ignored. */
static void reset_signals(void)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void *restorer;
        unsigned long mask;
    } by_default = {};
    uint64_t all = UINT64_MAX;

    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
    for (int i = 1; i <= 64; i++)
        syscall(SYS_rt_sigaction, i, &by_default, NULL, sizeof(all));
}

/* As the kernel has it; a field that is not given is 0. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice, deadline, period;
    uint32_t least_use, most_use;
};

/* A slice of its own, and bounds on the speed of its processor; an older kernel has neither. */
static void reset_use(void)
{
    const struct scheduling normal = {.size = sizeof(normal), .policy = SCHED_OTHER};
    const struct scheduling unbounded = {.size = sizeof(unbounded),
                                         .policy = SCHED_OTHER,
                                         .flags = USE_LEAST | USE_MOST,
                                         .least_use = UINT32_MAX,
                                         .most_use = UINT32_MAX};

    syscall(SYS_sched_setattr, 0, &normal, 0);
    syscall(SYS_sched_setattr, 0, &unbounded, 0);
}

/* What proctord's own service may have been given (a policy, a priority, an
 * affinity) is not meant for its children. */
static void reset_scheduling(void)
{
    static uint8_t processors[PROCESSORS_MAX / 8];
    const struct sched_param normal = {};

    memset(processors, 0xff, sizeof(processors));
    syscall(SYS_sched_setaffinity, 0, sizeof(processors), processors);
    syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &normal);
    setpriority(PRIO_PROCESS, 0, 0);
    reset_use();
    syscall(SYS_ioprio_set, 1, 0, 0);
    syscall(SYS_set_mempolicy, 0, NULL, 0);
}

/* Whether it is allowed does not matter here. */
static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0) {
        /* it is not allowed: then it stays as it is, as the manual says */
    }
    close(fd);
}

/* Less than it was may need a privilege: then it is what it was. */
static void reset_rest(rlim_t descriptors)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = descriptors < limit.rlim_max ? descriptors : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    umask(0022);
    personality(PER_LINUX);
    prctl(PR_SET_TIMERSLACK, TIMERSLACK, 0, 0, 0);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    prctl(PR_SET_SECUREBITS, 0, 0, 0, 0);
    write_file("/proc/self/oom_score_adj", "0");
    write_file("/proc/self/coredump_filter", "0x33");
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* 0, 1 and 2 lead to /dev/null: a child that lacks a descriptor must never get
 * one of ours. */
static int take_low_descriptors(struct spawner_process *spawner)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return -errno;
    spawner->starts = starts_map(SPAWNER_STARTS);
    spawner->socket = fcntl(SPAWNER_SOCKET, F_DUPFD_CLOEXEC, FIRST_FREE);
    if (!spawner->starts || spawner->socket < 0)
        return -errno;
    syscall(SYS_close_range, spawner->socket + 1, ~0U, 0);
    for (int fd = 0; fd < spawner->socket; fd++)
        if (fd != null && dup3(null, fd, O_CLOEXEC) < 0)
            return -errno;
    return 0;
}

static void close_all(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->n_fds; i++)
        close(parcel->fds[i]);
    parcel->n_fds = 0;
}

/* A message that was cut lacks descriptors, and is refused. */
static void take_descriptors(struct msghdr *header, struct parcel *parcel)
{
    parcel->cut = header->msg_flags & (MSG_CTRUNC | MSG_TRUNC);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && parcel->n_fds < PLAN_DESCRIPTORS_MAX; i++)
            parcel->fds[parcel->n_fds++] = ((const int *)(const void *)CMSG_DATA(c))[i];
    }
}

/* Returns 1, 0 where proctord has gone, or a negative errno. */
static int receive(const struct spawner_process *spawner, void *memory, struct parcel *parcel)
{
    struct iovec data = {.iov_base = memory, .iov_len = PLAN_INLINE};
    union {
        char bytes[CMSG_SPACE(PLAN_DESCRIPTORS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr header = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control.bytes)};

    *parcel = (struct parcel){};
    ssize_t n = recvmsg(spawner->socket, &header, MSG_CMSG_CLOEXEC);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    parcel->size = (size_t)n;
    take_descriptors(&header, parcel);
    return 1;
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void clean(struct slot *slot)
{
    if (slot->birth.arena)
        munmap(slot->birth.arena, slot->birth.arena_size);
    if (slot->large)
        munmap(slot->large, slot->large_size);
    slot->birth = (struct birth){};
    slot->large = NULL;
}

static void *pages(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* A slot has the memory of one birth: its stack, its plan. It is reused when
 * the birth has executed its program. */
static struct slot *new_slot(struct spawner_process *spawner)
{
    if (!spawner->slots)
        spawner->slots = pages(SLOTS_MAX * sizeof(struct slot *));
    if (!spawner->slots || spawner->n_slots == SLOTS_MAX)
        return NULL;
    struct slot *slot = pages(sizeof(*slot) + STACK_SIZE);
    if (!slot)
        return NULL;
    slot->stack = (char *)slot + (sizeof(*slot) + 15) / 16 * 16;
    spawner->slots[spawner->n_slots++] = slot;
    return slot;
}

/* Those whose children hang stay in use; the first that is free is the one that was used last. */
static struct slot *free_slot(struct spawner_process *spawner)
{
    for (size_t i = 0; i < spawner->n_slots; i++)
        if (__atomic_load_n(&spawner->slots[i]->tid, __ATOMIC_SEQ_CST) == 0) {
            clean(spawner->slots[i]);
            return spawner->slots[i];
        }
    return new_slot(spawner);
}

/* ---- one plan -------------------------------------------------------------------------------- */

/* Whether the last of the descriptors is the plan itself. */
static bool is_large(const struct slot *slot, const struct parcel *parcel)
{
    return parcel->size == sizeof(uint64_t) && parcel->n_fds > 0 && slot->plan[0] == '\0';
}

/* Mapped privately: the sender cannot change it while it is being read. */
static struct plan *open_large(struct slot *slot, struct parcel *parcel)
{
    struct stat status;
    int fd = parcel->fds[--parcel->n_fds];
    void *memory = MAP_FAILED;

    if (fstat(fd, &status) == 0 && status.st_size > 0 && (size_t)status.st_size <= PLAN_MAX)
        memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        return NULL;
    slot->large = memory;
    slot->large_size = (size_t)status.st_size;
    return plan_open(memory, slot->large_size) < 0 ? NULL : memory;
}

/* The number of descriptors has to fit the plan exactly. */
static bool distribute(const struct parcel *parcel, const struct plan *plan, struct birth *birth)
{
    size_t at = 0;
    bool cgroup = plan->flags & PLAN_IN_CGROUP;

    if (parcel->n_fds != (size_t)PLAN_FIXED - !cgroup + plan->n_sockets)
        return false;
    for (size_t i = 0; i < PLAN_FIXED; i++)
        birth->descriptors[i] = i == PLAN_CGROUP && !cgroup ? -1 : parcel->fds[at++];
    for (size_t i = 0; i < plan->n_sockets; i++)
        birth->sockets[i] = parcel->fds[at++];
    return true;
}

/* Everything that can be checked is checked here. */
static bool prepare(struct spawner_process *spawner, struct slot *slot, struct parcel *parcel)
{
    struct birth *birth = &slot->birth;
    struct plan *plan = is_large(slot, parcel)                            ? open_large(slot, parcel)
                        : plan_open((void *)slot->plan, parcel->size) < 0 ? NULL
                                                                          : (void *)slot->plan;

    if (!plan || !distribute(parcel, plan, birth))
        return false;
    birth->plan = plan;
    if (plan->gate > 0 && plan->slot < CORE_CHILDREN_MAX)
        birth->record = starts_record_in(spawner->starts, plan->slot);
    birth->copied = birth_wants_copy(plan);
    return true;
}

/* A copy of the memory has all that its child looks at. */
static void carry_out(struct slot *slot)
{
    __atomic_store_n(&slot->tid, slot->birth.copied ? 0 : 1, __ATOMIC_SEQ_CST);
    pid_t pid = birth_clone(&slot->birth, slot->stack, STACK_SIZE, &slot->tid);
    if (pid < 0) {
        slot->tid = 0;
        birth_say_failed(slot->birth.descriptors[PLAN_STATUS], STEP_FORK, -pid);
    }
}

/* A failure goes to the birth's socket, so that the daemon hears it where it
 * waits. */
static void handle(struct spawner_process *spawner, struct slot *slot, struct parcel *parcel)
{
    if (parcel->cut) {
        if (parcel->n_fds > 0)
            birth_say_failed(parcel->fds[0], STEP_SPAWNER, EMFILE);
    } else if (prepare(spawner, slot, parcel)) {
        carry_out(slot);
    } else if (parcel->n_fds > 0) {
        birth_say_failed(parcel->fds[0], STEP_SPAWNER, EBADMSG);
    }
    close_all(parcel);
}

/* proctord sees by it that this process neither hangs nor starves. */
static void say_done(const struct spawner_process *spawner)
{
    const char word = 1;
    send(spawner->socket, &word, sizeof(word), MSG_NOSIGNAL);
}

/* One order after the other. Without a free slot the order is refused, and
 * comes again. */
static int serve(struct spawner_process *spawner)
{
    static char unused[PLAN_INLINE];

    for (;;) {
        struct slot *slot = free_slot(spawner);
        struct parcel parcel;
        int r = receive(spawner, slot ? slot->plan : unused, &parcel);
        if (r == 0)
            return EXIT_SUCCESS;
        if (r < 0 && r != -EINTR && r != -ENOMEM && r != -ENOBUFS)
            return EXIT_FAILURE;
        if (r < 0)
            continue;
        if (slot) {
            handle(spawner, slot, &parcel);
        } else {
            if (parcel.n_fds > 0)
                birth_say_failed(parcel.fds[0], STEP_SPAWNER, ENOMEM);
            close_all(&parcel);
        }
        say_done(spawner);
    }
}

/* If the daemon dies, the kernel ends this process; if it is replaced, it
 * stays. */
int spawner_run(int argc, char **argv)
{
    struct spawner_process spawner = {.socket = -1};
    uint64_t descriptors = 0;

    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, SPAWNER_NAME);
    if (argc != 2 || number_read(argv[1], UINT64_MAX, &descriptors) < 0 || chdir("/") < 0 ||
        take_low_descriptors(&spawner) < 0)
        return EXIT_FAILURE;
    reset_scheduling();
    reset_rest((rlim_t)descriptors);
    return serve(&spawner);
}
