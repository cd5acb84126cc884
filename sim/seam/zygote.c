/*
 * The zygote: the program as it is before its main(). It waits there for orders to copy itself, and
 * each copy continues as a simulated exec of the program would, with the arguments and environment
 * that the driver gives. So an exec costs a fork.
 */
#include "seam/raw.h"
#include "seam/seam.h"
#include "seam/turn.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SIGNALS 8

static int (*real_main)(int argc, char **argv, char **variables);

/* The copy's strings are its own from here on. */
static char **take_strings(const char **at, uint32_t count)
{
    char **list = calloc(count + 1, sizeof(*list));

    for (uint32_t i = 0; list && i < count; i++) {
        list[i] = strdup(*at);
        *at += strlen(*at) + 1;
    }
    return list;
}

/* As the C library would have begun the program, with other arguments. */
static int begin(void)
{
    const char *at = turn_shared->program;
    int argc = (int)turn_shared->n_arguments;
    char **argv = take_strings(&at, turn_shared->n_arguments);

    environ = take_strings(&at, turn_shared->n_variables);
    if (argc > 0) {
        const char *slash = strrchr(argv[0], '/');
        program_invocation_name = argv[0];
        program_invocation_short_name = slash ? (char *)slash + 1 : argv[0];
    }
    size_t before = mallinfo2().uordblks;
    int r = real_main(argc, argv, environ);
    size_t after = mallinfo2().uordblks;
    turn_ask(WIRE_CALL_LEFT, (uint64_t[6]){after > before ? after - before : 0});
    return r;
}

/* Those that have ended are nobody's to wait for. */
static void ignore_ends(void)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } ignore = {SIG_IGN, 0, NULL, 0};

    raw(SYS_rt_sigaction, SIGCHLD, (long)&ignore, 0, KERNEL_SIGNALS, 0, 0);
}

/* What the heap had before is used up, so that whatever comes lies behind SEAM_HEAP. Nothing of it
 * is given back. */
static void use_up_heap(void)
{
    static void *volatile taken; /* else the compiler leaves them out */

    for (size_t size = 64 << 10; size >= 16; size = size > 2048 ? size / 2 : size - 16)
        for (int i = 0; i < 1000 && (uint64_t)(uintptr_t)(taken = malloc(size)) < SEAM_HEAP; i++)
            ;
}

/* Forks one copy for each order. What was allocated before is the same in all
 * of them. */
static int serve(int argc, char **argv, char **variables)
{
    (void)argc;
    (void)argv;
    (void)variables;
    ignore_ends();
    raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
    seam_catch_calls();
    use_up_heap();
    turn_to_driver();
    for (uint32_t births = 0;; births++) {
        turn_sleep(&turn_shared->birth, births);
        struct wire_slot *slot = &turn_shared->slots[turn_shared->birth_slot];
        long pid = raw(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
        if (pid == 0) {
            turn_begin(slot);
            return begin();
        }
        slot->process = slot->thread = (int32_t)pid;
        turn_to_driver();
    }
}

static struct wire_shared *find_shared(void)
{
    void *memory = MAP_FAILED;

    if (getenv(WIRE_VARIABLE))
        memory = mmap(NULL, sizeof(struct wire_shared), PROT_READ | PROT_WRITE, MAP_SHARED,
                      WIRE_DESCRIPTOR, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

typedef int main_function(int argc, char **argv, char **variables);

int __libc_start_main(main_function *entry, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader)(void), void *stack);

/* The C library's, which every program begins with. */
int __libc_start_main(main_function *entry, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader)(void), void *stack)
{
    __typeof__(__libc_start_main) *real = dlsym(RTLD_NEXT, "__libc_start_main");
    struct wire_shared *shared = find_shared();

    real_main = entry;
    turn_shared = shared;
    return real(shared ? serve : entry, argc, argv, init, fini, loader, stack);
}
