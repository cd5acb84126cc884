/*
 * Traces: a failed run as a file, with everything that is needed to repeat it,
 * its log included. It is text, so that it can be sent and read.
 */
#include "trace/trace.h"

#include "system/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE_FILE_MAX (256u << 20)

/* ---- the log --------------------------------------------------------------------------------- */

void log_line(void *userdata, const struct record *record)
{
    struct log *log = userdata;

    if (log->capacity - log->length < 512) {
        size_t capacity = log->capacity ? log->capacity * 2 : 65536;
        char *text = realloc(log->text, capacity);
        if (!text) {
            perror("proctor-sim: log");
            exit(EXIT_FAILURE);
        }
        log->text = text;
        log->capacity = capacity;
    }
    log->length += (size_t)record_format(record, log->text + log->length, 500);
    log->text[log->length++] = '\n';
    log->text[log->length] = '\0';
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_scenario(FILE *file, const char *text)
{
    fprintf(file, "scenario:\n");
    while (*text) {
        size_t length = strcspn(text, "\n");
        fprintf(file, "| %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

/* Runs again to record the log. */
int trace_write(const char *path, const struct run *run, const uint32_t *choices, size_t count,
                struct result *result)
{
    struct log log = {};
    struct run repeated = *run;

    repeated.observe = log_line;
    repeated.observe_userdata = &log;
    repeated.stop_after = NULL;
    schedule_begin_given(run->schedule, choices, count);
    run_once(&repeated, result);
    FILE *file = fopen(path, "we");
    if (!file) {
        free(log.text);
        return -errno;
    }
    char *text = schedule_to_text(choices, count);
    fprintf(file, "proctor-trace 1\n");
    fprintf(file, "of: %s\n", run->subject ? run->subject->path : "swarm");
    fprintf(file, "seed: %" PRIu64 "\n", run->seed);
    fprintf(file, "schedule: %s\n", text);
    fprintf(file, "hash: %016" PRIx64 "\n", result->hash);
    if (result->verdict.check == CHECK_NONE)
        fprintf(file, "verdict: passed\n");
    else
        fprintf(file, "verdict: %s at input %" PRIu64 ": %s\n",
                check_to_string(result->verdict.check), result->verdict.input,
                result->verdict.text);
    if (run->subject)
        write_scenario(file, run->subject->text);
    fprintf(file, "log:\n%s", log.text ? log.text : "");
    free(text);
    free(log.text);
    return fclose(file) == 0 ? 0 : -errno;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* NULL after a message. */
static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "re");
    size_t size = 0, capacity = 1 << 16;
    char *text = malloc(capacity);

    while (file && text) {
        size_t n = fread(text + size, 1, capacity - size - 1, file);
        size += n;
        if (n == 0 || size > TRACE_FILE_MAX)
            break;
        if (capacity - size < 2) {
            char *larger = realloc(text, capacity *= 2);
            if (!larger)
                break;
            text = larger;
        }
    }
    if (!file || !text || ferror(file) || size > TRACE_FILE_MAX) {
        fprintf(stderr, "%s: %s\n", path, errno ? strerror(errno) : "cannot be read");
        free(text);
        text = NULL;
    } else {
        text[size] = '\0';
    }
    if (file)
        fclose(file);
    return text;
}

/* The value of a line "key: value" where the text has come to; moves behind it. NULL: another. */
static char *take_line(char **text, const char *key)
{
    size_t length = strlen(key);
    char *value = *text + length;

    if (strncmp(*text, key, length) != 0)
        return NULL;
    char *end = strchr(value, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return value;
}

/* The scenario is within the trace, because the file that it came from may have
 * changed. */
static struct subject *take_scenario(char **text, const char *path)
{
    char *start = *text, *to = *text;
    struct subject *scenario = NULL;
    struct manifest_error error;

    while ((*text)[0] == '|' && (*text)[1] == ' ') {
        char *end = strchr(*text, '\n');
        size_t length = end ? (size_t)(end - *text - 2) : strlen(*text + 2);
        memmove(to, *text + 2, length);
        to += length;
        *to++ = '\n';
        *text = end ? end + 1 : *text + 2 + length;
    }
    char kept = *to;
    *to = '\0';
    if (scenario_parse(start, path, &scenario, &error) < 0) {
        fprintf(stderr, "%s: the scenario within: %zu:%zu: %s\n", path, error.line, error.column,
                error.text);
        return NULL;
    }
    *to = kept;
    return scenario;
}

/* In the order in which it is written. */
static int parse(struct trace *trace, char *text)
{
    const char *problem = "this is not a trace of proctor-sim";
    char *of, *value;

    if (!take_line(&text, "proctor-trace 1") || !(of = take_line(&text, "of: ")) ||
        !(value = take_line(&text, "seed: ")))
        goto fail;
    if (number_read(value, UINT64_MAX, &trace->seed) < 0 ||
        !(value = take_line(&text, "schedule: ")) ||
        schedule_from_text(value, &trace->choices, &trace->n_choices, &problem) < 0)
        goto fail;
    problem = "the head of the trace is damaged";
    if (!(value = take_line(&text, "hash: ")) || number_read_hex(value, &trace->hash) < 0)
        goto fail;
    if (!(value = take_line(&text, "verdict: ")))
        goto fail;
    snprintf(trace->verdict, sizeof(trace->verdict), "%s", value);
    if (take_line(&text, "scenario:")) {
        trace->scenario = take_scenario(&text, of);
        if (!trace->scenario)
            return -EINVAL;
    }
    if (!take_line(&text, "log:"))
        goto fail;
    trace->log = strdup(text);
    return trace->log ? 0 : -ENOMEM;
fail:
    fprintf(stderr, "proctor-sim: %s\n", problem);
    return -EINVAL;
}

/* NULL after a message. */
struct trace *trace_read(const char *path)
{
    char *text = read_whole(path);
    struct trace *trace = text ? calloc(1, sizeof(*trace)) : NULL;

    if (trace && parse(trace, text) < 0) {
        trace_free(trace);
        trace = NULL;
    }
    free(text);
    return trace;
}

void trace_free(struct trace *trace)
{
    if (!trace)
        return;
    scenario_free(trace->scenario);
    free(trace->choices);
    free(trace->log);
    free(trace);
}
