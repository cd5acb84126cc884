/*
 * Here: what a declaration names that is not on this machine: programs, users, groups, folders, and
 * what stays literal although it looks like a variable. These are warnings: the manifest may be
 * meant for another machine, or what is missing may come before the start.
 */
#pragma once

#include "core/model/declaration.h"

struct here {
    void (*warn)(void *userdata, const char *text);
    void *userdata;
};

void here_look(const struct here *here, const struct child_declaration *declaration);
