/*
 * Handle: processes by pidfd, and what can be known and done with one.
 *
 * A number is no process's name: as soon as a process has been reaped, its number can be another's,
 * and so can that of its process group once the last member has gone. Nor does the state letter in
 * /proc say that a process has ended: 'Z' is also one whose main thread has ended while others
 * continue to work. This is the only place that signals by number, and only while the number is
 * held by a child of ours that has not been reaped. Numbers are looked up with again_pidfd() and
 * compared afterwards: what still answers then has had its number all the time.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Whether the whole process has ended, all its threads: a pidfd is readable then. */
bool handle_has_ended(int pidfd);

/* Whether its number may be another's by now. A zombie still holds its own. */
bool handle_is_reaped(int pidfd);

/* All return 0 or a negative errno; -ESRCH if there is none. Signal 0 only asks. */
int handle_signal(int pidfd, int signal);

/*
 * The process group that the process leads or led. Since Linux 6.9 the kernel knows the group by
 * the pidfd, also when its leader has been reaped. Before that, by its number, which is that of
 * leader: a child of ours that has not been reaped, 0 where there is none such (then -ENOSYS).
 */
int handle_signal_group(int pidfd, pid_t leader, int signal);

/* A child of ours that has not been reaped, if no pidfd can be opened. */
int handle_signal_child(pid_t pid, int signal);
