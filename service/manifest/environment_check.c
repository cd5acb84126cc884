/*
 * Environment files, as `check` reads them: the same parser as at a start.
 */
#include "manifest/environment_check.h"
#include "core/vocabulary/invariant.h"

#include "system/environment_file.h"
#include "system/open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static int ignore(void *userdata, char *variable)
{
    (void)userdata;
    (void)variable;
    return 0;
}

static int check_text(const char *path, char *text, size_t length, struct error *error)
{
    struct environment_problem problem = {};
    int r = environment_file_parse(text, length, ignore, NULL, &problem);

    if (r < 0)
        snprintf(error->text, sizeof(error->text), "%.300s:%zu: %s", path, problem.line,
                 problem.why);
    return r;
}

/* A file that this user cannot read is no error: the child's user may. */
int environment_check(const struct child_declaration *declaration, struct error *error)
{
    INVARIANT(declaration && error);
    const char *path = declaration->process.environment_file;
    size_t length;
    char *text;

    if (!path)
        return 0;
    path += *path == '-';
    int r = read_regular(AT_FDCWD, path, ENVIRONMENT_FILE_MAX, &text, &length);
    if (r == 0) {
        r = check_text(path, text, length, error);
        free(text);
        return r;
    }
    if (r != -EMEDIUMTYPE && r != -EFBIG)
        return r == -ENOMEM ? r : 0;
    snprintf(error->text, sizeof(error->text), "%.300s: %s", path,
             open_regular_explain(AT_FDCWD, path, r));
    return -EINVAL;
}
