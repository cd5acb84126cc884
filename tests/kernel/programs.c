/*
 * Kernel programs: the same small program on the real kernel and on the model (sim/kernel).
 *
 *   kernel-programs --real|--model=PROFILE FILE
 *
 * A line of a program is: PUPPET STEP WORDS... ("as NAME" at the end keeps the number of a
 * descriptor). The first puppet is `a`; `a fork b` makes another. %b is the number of a process, $f
 * that of a descriptor, @ a folder of cgroups. Each line is printed with what came of it, without
 * any number that could be another one next time. A line "!need cgroups" ends the program where
 * there are none.
 */
#include "backend.h"
#include "calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define WORDS   16
#define NAMES   64
#define SKIPPED 77

struct name {
    char text[16];
    long number;
};

static struct {
    const struct backend *backend;
    char puppets[PUPPETS][16];
    unsigned n_puppets;
    struct name descriptors[NAMES];
    unsigned n_descriptors;
} run;

static int puppet_named(const char *name)
{
    for (unsigned i = 0; i < run.n_puppets; i++)
        if (strcmp(run.puppets[i], name) == 0)
            return (int)i;
    return -1;
}

static long descriptor_named(const char *name)
{
    for (unsigned i = run.n_descriptors; i-- > 0;)
        if (strcmp(run.descriptors[i].text, name) == 0)
            return run.descriptors[i].number;
    return -1;
}

/* %b, $f, @ and the rest in the middle of a word; the caller frees it. */
static char *expand(const char *word)
{
    char *text = NULL, name[16];
    size_t size;
    FILE *out = open_memstream(&text, &size);

    while (*word) {
        int n = 0;
        if ((*word == '%' || *word == '$') && sscanf(word + 1, "%15[a-z0-9]%n", name, &n) == 1) {
            int puppet = *word == '%' ? puppet_named(name) : -1;
            if (*word == '$')
                fprintf(out, "%ld", descriptor_named(name));
            else
                fprintf(out, "%d",
                        puppet >= 0 ? run.backend->number((unsigned)puppet) : run.backend->init());
            word += 1 + n;
        } else if (*word == '@') {
            fputs(run.backend->cgroup(), out);
            word++;
        } else {
            fputc(*word++, out);
        }
    }
    fclose(out);
    return text;
}

static const char *name_of(long number)
{
    if (number == 0)
        return "0";
    if (number == run.backend->init())
        return "init";
    for (unsigned i = run.n_puppets; i-- > 0;)
        if (run.backend->number(i) == number)
            return run.puppets[i];
    return "?";
}

/* <123> becomes a name. */
static void print_reply(const char *reply)
{
    while (*reply) {
        long number;
        int n = 0;
        if (sscanf(reply, "<%ld>%n", &number, &n) == 1 && n > 0) {
            fputs(name_of(number), stdout);
            reply += n;
        } else {
            putchar(*reply++);
        }
    }
    putchar('\n');
}

static void take_fork(unsigned puppet, int n, char *words[])
{
    bool of_parent = false;
    char *into = NULL;
    unsigned child = run.n_puppets;

    for (int i = 2; i < n; i++) {
        of_parent = of_parent || strcmp(words[i], "of-parent") == 0;
        if (strcmp(words[i], "into") == 0 && i + 1 < n)
            into = words[i + 1];
    }
    int number = run.backend->fork(puppet, child, of_parent, into);
    if (number < 0) {
        printf("%s\n", step_error(number));
        return;
    }
    snprintf(run.puppets[child], sizeof(run.puppets[child]), "%s", words[1]);
    run.n_puppets++;
    printf("ok\n");
}

static void take_order(unsigned puppet, int n, char *words[])
{
    const char *as = n > 2 && strcmp(words[n - 2], "as") == 0 ? words[n - 1] : NULL;
    char *reply = NULL, *end;
    size_t size;
    FILE *out = open_memstream(&reply, &size);

    run.backend->order(puppet, as ? n - 2 : n, words, out);
    fclose(out);
    long number = strtol(reply, &end, 10);
    if (as && end != reply && *end == '\0') {
        struct name *name = &run.descriptors[run.n_descriptors++ % NAMES];
        snprintf(name->text, sizeof(name->text), "%s", as);
        name->number = number;
        printf("ok\n");
    } else {
        print_reply(reply);
    }
    free(reply);
}

static int take_line(char *line)
{
    char *words[WORDS], *rest = line;
    int n = 0;

    line[strcspn(line, "\n")] = '\0';
    printf("%s\n", line);
    if (*line == '#' || *line == '\0')
        return 0;
    if (strcmp(line, "!need cgroups") == 0)
        return run.backend->cgroup() ? 0 : SKIPPED;
    if (strcmp(line, "!need root") == 0)
        return geteuid() == 0 ? 0 : SKIPPED;
    for (char *word; n < WORDS && (word = strsep(&rest, " "));)
        words[n++] = expand(word);
    int puppet = n > 1 ? puppet_named(words[0]) : -1;
    printf("    ");
    if (puppet < 0)
        printf("there is no puppet %s\n", words[0]);
    else if (strcmp(words[1], "fork") == 0)
        take_fork((unsigned)puppet, n - 1, words + 1);
    else
        take_order((unsigned)puppet, n - 1, words + 1);
    for (int i = 0; i < n; i++)
        free(words[i]);
    return puppet < 0 ? 2 : 0;
}

static int run_program(FILE *file)
{
    char *line = NULL;
    size_t capacity = 0;
    int r = 0;

    strcpy(run.puppets[0], "a");
    run.n_puppets = 1;
    while (r == 0 && getline(&line, &capacity, file) > 0)
        r = take_line(line);
    free(line);
    return r;
}

/* The profile of the kernel that this runs on. */
static int print_profile(void)
{
    struct utsname kernel;
    int major = 0, minor = 0;
    const char *kind = access("/sys/fs/cgroup/unified", F_OK) == 0 ? "hybrid" : "plain";

    uname(&kernel);
    sscanf(kernel.release, "%d.%d", &major, &minor);
    printf("%d.%d-%s\n", major, minor, kind);
    return 0;
}

int main(int argc, char *argv[])
{
    const char *profile = "";

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && strcmp(argv[1], "--puppet") == 0)
        return backend_puppet((unsigned)atoi(argv[2]));
    if (argc == 2 && strcmp(argv[1], "--profile") == 0)
        return print_profile();
    if (argc != 3)
        return 2;
    run.backend = &backend_real;
    if (strncmp(argv[1], "--model=", 8) == 0) {
        run.backend = &backend_model;
        profile = argv[1] + 8;
    }
    FILE *file = fopen(argv[2], "re"); /* before the working folder is another */
    if (!file) {
        perror(argv[2]);
        return 2;
    }
    int r = run.backend->begin(profile) ? run_program(file) : SKIPPED;
    run.backend->end();
    fclose(file);
    return r;
}
