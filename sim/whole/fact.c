/*
 * The facts that scenarios of a whole proctord can ask about: what its bus
 * shows, what its processes did, what it wrote.
 */
#include "whole/fact.h"

#include "machine/runner.h"
#include "machine/small_kinds.h"
#include "machine/unix_socket.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define OUTPUT_MAX 65536

/* "stop_state" is "StopState" on the bus. */
void fact_name_of_bus(const char *fact, char *name, size_t size)
{
    size_t used = 0;
    bool begins = true;

    for (const char *c = fact; *c && used + 1 < size; c++) {
        if (*c != '_')
            name[used++] = begins ? (char)toupper((unsigned char)*c) : *c;
        begins = *c == '_';
    }
    name[used] = '\0';
}

size_t fact_descriptors(const struct whole *whole)
{
    return whole->proctord ? descriptors_count(program_of(whole->proctord)->descriptors) : 0;
}

/* Its own helpers come and go: their numbers, and the sockets that lead to them. */
static bool is_of_helper(const struct whole *whole, const struct description *description)
{
    const struct task *task = pid_fd_task(description);
    const struct unix_socket *socket = unix_socket_of(description);

    if (task)
        return task->program == whole->machine->program;
    return socket && socket->peer && socket->peer->description;
}

size_t fact_descriptors_at_rest(const struct whole *whole)
{
    const struct descriptors *table =
        whole->proctord ? program_of(whole->proctord)->descriptors : NULL;
    size_t n = 0;

    for (size_t i = 0; table && i < table->room; i++) {
        const struct description *description = table->list[i].description;
        bool counts = description && !is_of_helper(whole, description);
        n += counts;
        if (counts && whole->told)
            fprintf(whole->told, "-- descriptor %zu: %s\n", i, description->kind->name);
    }
    return n;
}

/* ---- of a child ------------------------------------------------------------------------------ */

static bool was_killed(const struct habit *habit)
{
    return habit->is_over && WIFSIGNALED(habit->task->status) &&
           WTERMSIG(habit->task->status) == SIGKILL;
}

/* Facts that the model of the programs knows. */
static bool count_of_child(const struct whole *whole, const char *child, const char *fact,
                           uint64_t *count)
{
    static const char *const facts[] = {"processes", "starts", "asked", "killed"};
    size_t which = 0;

    while (which < 4 && strcmp(facts[which], fact) != 0)
        which++;
    *count = 0;
    for (const struct habit *habit = whole->habits.list; habit && which < 4; habit = habit->next)
        if (strcmp(habit->actor->child, child) == 0)
            *count += which == 0   ? !habit->is_over
                      : which == 1 ? habit->is_main
                      : which == 2 ? habit->asked_nsec > 0
                                   : was_killed(habit);
    return which < 4;
}

/* ---- of proctord ----------------------------------------------------------------------------- */

/* Whether the text is in what proctord wrote to its standard error. */
static bool has_written(const struct whole *whole, const char *text)
{
    static char output[OUTPUT_MAX];
    struct machine *machine = whole->machine;
    struct open_file *file;

    if (file_open(machine->init, NULL, "/run/console", O_RDONLY, 0, &file) < 0)
        return false;
    ssize_t n = file_read(machine->init, file, output, sizeof(output) - 1);
    file_release(file);
    output[n > 0 ? n : 0] = '\0';
    return strstr(output, text) != NULL;
}

/* Facts about proctord itself. */
static bool fact_of_proctord(const struct whole *whole, const struct story_claim *claim,
                             char *value, size_t size)
{
    uint64_t number;

    if (strcmp(claim->fact, "wrote") == 0) {
        bool wrote = has_written(whole, claim->value);
        snprintf(value, size, "%s", wrote ? claim->value : "not written");
        return true;
    }
    if (strcmp(claim->fact, "descriptors") == 0) {
        size_t now = fact_descriptors(whole);
        if (now == whole->descriptors)
            snprintf(value, size, "same");
        else
            snprintf(value, size, "%zu where it was %zu", now, whole->descriptors);
        return true;
    }
    if (strcmp(claim->fact, "proctords") == 0)
        number = whole->starts;
    else if (strcmp(claim->fact, "upgrades") == 0)
        number = whole->executions;
    else if (strcmp(claim->fact, "is_there") == 0)
        number = whole->proctord != NULL;
    else if (strcmp(claim->fact, "on_bus") == 0)
        number = bus_plug_has_proctord(whole->bus);
    else
        return false;
    snprintf(value, size, "%" PRIu64, number);
    return true;
}

/* Leaves in `value` what it really is. */
bool fact_holds(struct whole *whole, const char *child, const struct story_claim *claim,
                char *value, size_t size)
{
    char name[64];
    uint64_t count;

    if (!child) {
        if (!fact_of_proctord(whole, claim, value, size))
            snprintf(value, size, "no fact");
    } else if (count_of_child(whole, child, claim->fact, &count)) {
        snprintf(value, size, "%" PRIu64, count);
    } else {
        fact_name_of_bus(claim->fact, name, sizeof(name));
        bus_plug_property(whole->bus, child, name, value, size);
    }
    return strcmp(value, claim->value) == 0;
}
