/*
 * Commands: the verbs of semantics.md section 3. Each is answered by exactly one outcome, whose
 * facts are those right after the command was carried out.
 */
#pragma once

struct command;
struct core;
struct error;
struct outcome;

int command_handle(struct core *core, const struct command *command, struct outcome *outcome,
                   struct error *error);
int command_handle_scope(struct core *core, const struct command *command,
                         void (*visit)(void *userdata, const struct outcome *outcome),
                         void *userdata, struct error *error);
void command_remove(struct core *core, const char *ids, const char *requester, const char *reason);
