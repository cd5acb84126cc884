/*
 * Roles: what this program is besides proctord itself, where proctord has started it a second time
 * for that (own_process.h).
 */
#pragma once

/* The exit code of the role that the first argument names; -1: it names none. */
int role_run(int argc, char **argv);
