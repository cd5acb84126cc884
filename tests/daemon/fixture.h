/*
 * Fixture: a real proctord on a bus of its own, with real processes, driven through GDBus.
 * Waiting is always for something, with a deadline; nothing sleeps.
 */
#pragma once

#include "../named.h"

#include <gio/gio.h>

struct fixture {
    char *folder;
    char *address;
    GPid pid;
    GDBusConnection *bus;
    guint signals;
    int standard_output;
};

/* Each test program continues in a process of its own, as whose init the first one waits: what a
 * dead proctord has left comes to it, and is reaped. After this call, before g_test_init(), none is
 * reaped: as by the `sleep` that is PID 1 of many a container. */
void fixture_become_careless_init(void);
/* Again, in a namespace of its own. */
void fixture_become_init(void);

/* extra: further options of proctord, NULL-terminated, or NULL. */
void fixture_start(struct fixture *f, const char *const *extra);
/* Ends proctord, asserts that it exits with code, and that nothing is left of it. */
void fixture_stop(struct fixture *f, int code);
/* Lets go of a proctord that has ended, before another one is started. */
void fixture_forget(struct fixture *f);
/* When another proctord has taken over by itself, with the same standard output. */
void fixture_reconnect(struct fixture *f);
/* Replaces the program in place, and waits until the new one answers. */
void fixture_upgrade(struct fixture *f);
/* Kills proctord, at once; starts it again in the same folder. */
void fixture_kill(struct fixture *f);
void fixture_again(struct fixture *f, const char *const *extra);
/* The same, where it must not start: it ends with exit code 1. Returns what it says. */
char *fixture_fails(struct fixture *f, const char *const *extra);
/* Waits for proctord to end by itself and returns its exit code. */
int fixture_wait_end(struct fixture *f);

/* The option of a proctord without cgroups, if NO_CGROUPS is 1; NULL: none. */
const char *const *fixture_cgroups(void);

/* Registers a test that gets a proctord of its own, ended with exit code 0 afterwards. options: as
 * extra of fixture_start(). */
void fixture_test(struct fixture *f, const char *const *options, const char *path,
                  void (*test)(void));
#define FIXTURE_TEST(fixture, options, group, test)                                                \
    fixture_test(fixture, options, test_path(group, #test), test)

/* A path in the test's folder; valid until the next eight calls. */
const char *fixture_path(struct fixture *f, const char *name);
void fixture_fifo(struct fixture *f, const char *name);
/* Lets a child go on that waits at a FIFO. */
void fixture_release(struct fixture *f, const char *name);
/* The PID that a child wrote into a file; waits for it. */
GPid fixture_read_pid(struct fixture *f, const char *name);
void fixture_wait_no_file(struct fixture *f, const char *name);
void fixture_wait_gone(struct fixture *f, GPid pid); /* and has been reaped */
/* A zombie has, too: its parent may be slow. */
gboolean fixture_has_ended(GPid pid);
guint fixture_count_lines(struct fixture *f, const char *name);
/* Waits until a file that a child writes has so many lines. */
void fixture_wait_lines(struct fixture *f, const char *name, guint count);

/* Adds a child by its whole manifest; @ stands for the test's folder. */
void fixture_add_manifest(struct fixture *f, const char *manifest);
/* Adds a child that runs tests/daemon/child.c with these steps. yaml: further lines, each with its
 * newline; may be "". */
void fixture_add(struct fixture *f, const char *name, const char *yaml, const char *steps);
/* Writes children.d/tree.yaml; @ stands for the test's child. */
void fixture_write_tree(struct fixture *f, const char *text);
/* Reload; returns the changes. */
GVariant *fixture_reload(struct fixture *f, GError **error);
/* With an option: "restart" or "dry-run". */
GVariant *fixture_reload_with(struct fixture *f, const char *option);
/* Calls; the error is returned where error is not NULL, else the call must succeed. */
GVariant *fixture_call(struct fixture *f, const char *path, const char *interface,
                       const char *method, GVariant *arguments, GError **error);
GVariant *fixture_manager(struct fixture *f, const char *method, GVariant *arguments,
                          GError **error);
GVariant *fixture_manager_property(struct fixture *f, const char *name);
/* A verb with reason "test"; returns the outcome's dictionary. */
GVariant *fixture_verb(struct fixture *f, const char *verb, const char *child);
GVariant *fixture_verb_waiting(struct fixture *f, const char *verb, const char *child);

char *fixture_text(struct fixture *f, const char *child, const char *property);
guint64 fixture_number(struct fixture *f, const char *child, const char *property);
gboolean fixture_flag(struct fixture *f, const char *child, const char *property);
GVariant *fixture_property(struct fixture *f, const char *child, const char *property);
gboolean fixture_exists(struct fixture *f, const char *child);

void fixture_wait_text(struct fixture *f, const char *child, const char *property,
                       const char *value);
void fixture_wait_number(struct fixture *f, const char *child, const char *property, guint64 value);
void fixture_wait_flag(struct fixture *f, const char *child, const char *property);
void fixture_wait_removed(struct fixture *f, const char *child);

/* How many events of that kind there are, of that child. */
guint fixture_events(struct fixture *f, const char *kind, const char *child);
/* A field of the last such event, as text; NULL when there is none. */
char *fixture_event_field(struct fixture *f, const char *kind, const char *child,
                          const char *field);
void fixture_wait_event(struct fixture *f, const char *kind, const char *child, guint count);

/* Values of an a{sv}. */
const char *dict_text(GVariant *dictionary, const char *key);
guint64 dict_number(GVariant *dictionary, const char *key);
gboolean dict_flag(GVariant *dictionary, const char *key);
gboolean dict_has(GVariant *dictionary, const char *key);
GVariant *dict_dict(GVariant *dictionary, const char *key);
