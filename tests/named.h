/*
 * Names of tests: each is that of its function, written once. TEST("/budget", it_refills) adds
 * /budget/it-refills; WORLD_TEST (core/world.h) and FIXTURE_TEST (daemon/fixture.h) do the same for
 * tests that get a world or a proctord of their own.
 */
#pragma once

#include <glib.h>
#include <string.h>

/* The path of a test; valid until the next call. */
static inline const char *test_path(const char *group, const char *function)
{
    static char *path;

    g_free(path);
    path = g_strconcat(group, "/", function, NULL);
    g_strdelimit(path + strlen(group), "_", '-');
    return path;
}

#define TEST(group, function) g_test_add_func(test_path(group, #function), function)
