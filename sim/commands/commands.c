/*
 * What the commands of proctor-sim have in common: reading numbers and times,
 * refusing an option with a line that names the command, printing a verdict and
 * the command that repeats a run.
 */
#include "commands/commands.h"

#include "system/number.h"
#include "manifest/unit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int commands_refuse(const struct command_entry *command, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "proctor-sim %s: ", command->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nUsage: proctor-sim %s\n%s", command->usage, command->help);
    return EXIT_USAGE;
}

int commands_seconds(const char *text, double *seconds)
{
    uint64_t usec;
    int r = unit_duration(text, &usec);

    if (r == 0)
        *seconds = (double)usec / 1e6;
    return r;
}

bool commands_read_number(const char *text, uint64_t *number)
{
    return number_read(text, UINT64_MAX, number) == 0;
}

void commands_print_verdict(const struct result *result)
{
    if (result->verdict.check == CHECK_NONE)
        printf("passed");
    else
        printf("FAILED %s at input %" PRIu64 ": %s", check_to_string(result->verdict.check),
               result->verdict.input, result->verdict.text);
    printf("\nhash %016" PRIx64 ", %" PRIu64 " inputs, %.3f s simulated\n", result->hash,
           result->inputs, (double)result->simulated_nsec / 1e9);
}

void commands_print_repeat(const char *name, const struct run *run, const uint32_t *choices,
                           size_t count)
{
    char *text = schedule_to_text(choices, count);

    printf("repeat it with: proctor-sim run %s --seed %" PRIu64 " --schedule %s\n", name, run->seed,
           text);
    free(text);
}

void commands_close_run(struct run *run)
{
    memory_free(run->memory);
    schedule_free(run->schedule);
}

void commands_print_record(void *userdata, const struct record *record)
{
    char line[500];

    (void)userdata;
    record_format(record, line, sizeof(line));
    puts(line);
}
