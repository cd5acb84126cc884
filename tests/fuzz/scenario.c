/*
 * Scenarios of the simulator: refused with a place, or read.
 */
#include "target.h"

#include "manifest.h"
#include "scenario/scenario.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_error error = {};
    struct subject *scenario = NULL;
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    int r = scenario_parse(text, "input.yaml", &scenario, &error);
    if (r < 0 && error.text[0] == '\0')
        found("an error without a word");
    if (r >= 0)
        scenario_free(scenario);
    free(text);
    return 0;
}
