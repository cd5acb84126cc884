/*
 * What this program is besides the daemon: it executes itself as the spawner,
 * and as the processes that write output.
 */
#include "roles.h"

#include "host/listener.h"
#include "host/log_writer.h"
#include "manifest/manifest_files.h"
#include "system/outside.h"
#include "host/path_look.h"
#include "host/spawner_process.h"

#include <string.h>

static int be_outside(void)
{
    const struct outside_job jobs[] = {path_look_job, listener_unlink_job, manifest_list_job,
                                       manifest_read_job, log_writer_job};

    return outside_run(jobs, sizeof(jobs) / sizeof(*jobs));
}

int role_run(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], SPAWNER_OPTION) == 0)
        return spawner_run(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], OUTSIDE_OPTION) == 0)
        return be_outside();
    return -1;
}
