/*
 * Standard descriptors: 0, 1 and 2 are always something. A program that is started without one of
 * them would otherwise get its next socket or epoll there, write its messages into that, and pass
 * it on to its children.
 */
#pragma once

/* To be called first of all. flags: how /dev/null is opened in the place of what is missing; with
 * O_RDONLY, output that nobody would see is an error as it was. */
void standard_descriptors_fill(int flags);
