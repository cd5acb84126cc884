/*
 * Lists of commands on disk and in the handover: how many there are, and of
 * each its arguments, in their order. A count that is too large, or a command
 * without a program, makes the whole record unreadable; the list is never
 * shortened.
 */
#include "core/model/commands.h"

#include "core/model/archive.h"

/* Reading: room for as many as there are. */
static struct command_spec *commands_of(struct archive *a, const struct command_list *list)
{
    if (!a->reading)
        return (struct command_spec *)(uintptr_t)list->commands;
    if (a->failed || list->count == 0)
        return NULL;
    struct command_spec *commands = a->allocate(a, list->count * sizeof(*commands));
    a->failed = a->failed || !commands;
    return commands;
}

void commands_archive(struct archive *a, struct command_list *list)
{
    archive_count(a, &list->count, COMMANDS_MAX);
    struct command_spec *commands = commands_of(a, list);
    list->commands = commands;
    for (size_t i = 0; !a->failed && i < list->count; i++) {
        archive_strings(a, &commands[i].arguments);
        ARCHIVE(a, commands[i].timeout_usec);
        ARCHIVE(a, commands[i].may_fail);
        if (!a->failed && (!commands[i].arguments || !commands[i].arguments[0]))
            a->failed = true;
    }
    if (a->reading && a->failed)
        *list = (struct command_list){};
}

bool commands_follow_a_start(const struct process_spec *spec)
{
    return spec->reload.count > 0 || spec->stop.count > 0 || spec->after_stop.count > 0;
}
