/*
 * Inherit: what a program knows of its attempts and neither the core nor the journal has, handed to
 * the program that takes its place: those that are over, and of which the core has not heard; which
 * processes have been told to stop.
 */
#pragma once

struct handover;
struct host;
struct process;

/* In host_hand_over(), and in host_new(). */
void inherit_hand_over(struct host *host, struct handover *handover);
void inherit_read(struct host *host, struct handover *handover);
void inherit_forget(struct host *host);

/* What is known of the tree of a process that continues, or is drained; from the journal where the
 * program before has died. */
void inherit_kin(struct process *process);
