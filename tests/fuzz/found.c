#include "target.h"

#include <stdio.h>
#include <stdlib.h>

void found(const char *what)
{
    fprintf(stderr, "found: %s\n", what);
    abort();
}
