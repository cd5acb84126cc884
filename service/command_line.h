/*
 * Command line of proctord (docs: proctord --help, cli.md).
 */
#pragma once

#include "journal/journal.h"
#include "log/log.h"
#include "bus/service.h"

struct command_line {
    enum service_bus bus;
    const char *address;
    bool private_bus;
    const char *manifests[64];
    size_t n_manifests;
    bool default_manifests; /* none were named: the usual place, which may be missing */
    char state_directory[4096];
    char runtime_directory[4096];
    int log_level;
    enum log_target log_target;
    bool cgroups;
    enum durability durability;
    uint64_t audit_bytes;
    bool accept_unwritten;
    const char *metrics_socket;  /* NULL: none */
    const char *metrics_address; /* of IP; NULL: none */
    bool metrics_of_children;
    bool store_descriptors;
    bool check;
};

/* Returns 0 to continue, 1 when the answer has been printed (--help, --version), or -EINVAL with a
 * message on standard error. */
int command_line_parse(int argc, char **argv, struct command_line *line);
