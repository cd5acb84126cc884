/*
 * Delay: what proctord lacks itself for a start (descriptors, memory, processes) is not the child's
 * failure. The start waits as long as it takes, which is reported once, and none of the deadlines
 * that bound it runs; when it continues, or is heard of, it has all of its time again.
 */
#pragma once

struct child;
struct core;

void delay_begin(struct core *core, struct child *child, const char *reason);
void delay_end(struct core *core, struct child *child);
