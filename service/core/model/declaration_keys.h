/*
 * Keys of a declaration: the keys of a manifest, each with the fields that it fills in and with
 * what a change of it costs. There is one table, in declaration_archive.c: what is written to the
 * journal and what two declarations are compared by are made from it, so that a field that is
 * missing in the one is missing in the other.
 *
 *     KEY_IS_IDENTITY   another value is another child
 *     KEY_IN_PLACE      a key of supervision: a change is in force at once
 *     KEY_OF_PROCESS    a process has it from its start: a change waits for the next start
 */
#pragma once

#include "core/model/declaration.h"

struct archive;
struct core_ports;

enum declaration_key {
    KEY_NAME,
    KEY_KIND,
    KEY_SIDECAR_ORDER,
    KEY_CRITICALITY,
    KEY_RESTART,
    KEY_ON_SUCCESS,
    KEY_ON_GIVE_UP,
    KEY_RESTART_DEPENDENTS,
    KEY_AUTOSTART,
    KEY_RESTART_LIMIT,
    KEY_BACKOFF,
    KEY_FATAL_EXIT_CODES,
    KEY_SUCCESS_EXIT_CODES,
    KEY_STOP,
    KEY_READINESS,
    KEY_START_TIMEOUT,
    KEY_RUN_TIMEOUT,
    KEY_HEARTBEAT,
    KEY_HEALTH_CHECK,
    KEY_REQUIRES,
    KEY_AFTER,
    KEY_TAGS,
    KEY_GROUP,
    KEY_SAME_NAME,
    KEY_SCHEDULE,
    KEY_DESCRIPTION,
    KEY_RELOAD_SIGNAL,
    KEY_EXEC,
    KEY_LEFTOVERS,
    KEY_FD_STORE_MAX,
    KEY_WORKING_DIRECTORY,
    KEY_USER,
    KEY_UNIX_GROUP,
    KEY_SUPPLEMENTARY_GROUPS,
    KEY_ENVIRONMENT,
    KEY_ENVIRONMENT_FILE,
    KEY_CAPABILITIES,
    KEY_NO_NEW_PRIVILEGES,
    KEY_UMASK,
    KEY_NICE,
    KEY_OOM_SCORE_ADJ,
    KEY_IGNORE_SIGPIPE,
    KEY_LIMITS,
    KEY_CPU_AFFINITY,
    KEY_SANDBOX,
    KEY_STDOUT,
    KEY_SOCKETS,
    KEY_BEFORE,
    KEY_AFTER_START,
    KEY_RELOAD,
    KEY_AFTER_STOP,
    KEY_RUNTIME_DIRECTORY,
    KEY_STATE_DIRECTORY,
    KEY_LOGS_DIRECTORY,
    KEY_CACHE_DIRECTORY,
    DECLARATION_KEYS /* how many there are */
};

_Static_assert(DECLARATION_KEYS <= 64, "KEY_BIT()");

enum key_class { KEY_IS_IDENTITY, KEY_IN_PLACE, KEY_OF_PROCESS };

/* A set of keys: bit n is the key n. */
#define KEY_BIT(key) (UINT64_C(1) << (key))

const char *declaration_key_name(enum declaration_key key);
enum key_class declaration_key_class(enum declaration_key key);

/* All keys of a class. */
uint64_t declaration_keys_of(enum key_class class);

/* Whether a key of manifests is this row's, or has no field of its own and goes with it:
 * `arguments` with `exec`, `primary` with `requires`, `supervisor` with `name`,
 * `state_directory_mode` with `state_directory`. Returns the key, or DECLARATION_KEYS where there
 * is none of this name. */
enum declaration_key declaration_key_find(const char *name);

/* The fields of each key are in one or more rows. Writes those of a row, unless they are never
 * compared, and returns its key. */
size_t declaration_rows(void);
enum declaration_key declaration_row_write(struct archive *archive,
                                           struct child_declaration *declaration, size_t row);

/* The same of all rows, one behind the other. */
void declaration_keys_write(struct archive *archive, struct child_declaration *declaration);

/* Finds the keys in which two declarations differ, whatever their texts look like. Returns 0 or
 * -ENOMEM. */
int declaration_compare(const struct core_ports *ports, const struct child_declaration *before,
                        const struct child_declaration *after, uint64_t *keys);
