/*
 * Help: what proctorctl says about itself: all commands on two screens, and one command with its
 * options and an example.
 */
#pragma once

extern const char help_text[]; /* of all commands */

/* Prints the help of one command, or with NULL of all. The command is one that is known. */
void help_show(const char *command);
