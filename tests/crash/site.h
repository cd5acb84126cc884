/*
 * Site: where in a program a system call is made, and on what, so that each can be met once. A
 * program makes the same call at the same place thousands of times; its Nth call is another one in
 * each run. A site is the call, the kind of thing that it is about ("/proc/#/stat", "[pidfd]"), and
 * the two places in the program nearest above it on the stack. After "Efficient Testing of Recovery
 * Code Using Fault Injection" (Marinescu and Candea, 2011), which tells calls apart by their stack.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <sys/user.h>

enum site_object {
    SITE_ON_NOTHING,
    SITE_ON_DESCRIPTOR, /* its first argument is one */
    SITE_ON_THIRD,      /* its third one is */
    SITE_ON_PATH,       /* its first argument is one */
    SITE_ON_PATH_AT,    /* its second one is */
};

#define SITE_MAX 256 /* bytes of its text, with the end */

/* The code of the program that the process runs now: again after each exec. Returns 0, or -1. */
int site_look_at_program(pid_t pid);

/* Writes "CALL OBJECT +OFFSET +OFFSET": of the offsets, `addr2line -fe PROGRAM` tells the line. The
 * process is stopped where the call begins. */
void site_describe(pid_t pid, const struct user_regs_struct *registers, const char *call,
                   enum site_object object, char text[SITE_MAX]);
