/*
 * Child archive: what a child is doing, as bytes: its attempt, its stop, its timers, what it has
 * said, and how its last attempt ended. How it is declared, and what stands in lists with an order
 * of their own, is not in it (checkpoint.c).
 */
#pragma once

struct archive;
struct child;
struct core;

/* Reads into a child that has just been declared, or writes. Returns 0, -EBADMSG or -ENOMEM. */
int child_archive(struct core *core, struct archive *a, struct child *child);
